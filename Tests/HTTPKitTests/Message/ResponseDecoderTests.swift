import HTTPTypes
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §4: the head of an answer")
struct ResponseHeadTests {
    private static let fields = "A: 1\r\nContent-Length: 0\r\n\r\n"

    @Test(
        "RFC 9112 §4: status lines",
        arguments: [
            ("HTTP/1.1 200 OK", 200), ("HTTP/1.0 404 Not Found", 404), ("HTTP/1.9 200 OK", 200),
            ("HTTP/1.1 200 ", 200), ("HTTP/1.1 599 \u{E4}\t\"x\"", 599), ("HTTP/1.1 999 x", 999),
            ("HTTP/1.1 101 Switching Protocols", 101), ("HTTP/1.1 200  two spaces ", 200),
            // A deliberate leniency: no space before a reason phrase that is not there.
            ("HTTP/1.1 200", 200),
        ])
    func statusLine(line: String, status: Int) {
        let answer = replayAnswer("\(line)\r\n\(Self.fields)")
        #expect(answer.status == status && answer.isWhole)
        #expect(answer.fields == ["A: 1", "Content-Length: 0"])
    }

    @Test("RFC 9112 §4: a reason phrase holds any octet but controls")
    func reasonPhrase() {
        let line = Array("HTTP/1.1 200 ".utf8) + [0x09, 0x21, 0x7E, 0x80, 0xFF]
        #expect(replayAnswer(line + Array("\r\n\(Self.fields)".utf8)).status == 200)
    }

    @Test(
        "RFC 9112 §4, §2.3: what is no status line is refused",
        arguments: [
            ("\r\n", .statusLine), ("x\r\n", .statusLine), ("SSH-2.0-OpenSSH_9\r\n", .statusLine),
            ("http/1.1 200 OK\r\n", .statusLine), ("HTTP/2.0 200 OK\r\n", .statusLine),
            ("HTTP/2 200 OK\r\n", .statusLine), ("HTTP/0.9 200 OK\r\n", .statusLine),
            ("HTTP/1.x 200 OK\r\n", .statusLine), ("HTTP/1.12 200 OK\r\n", .statusLine),
            ("HTTP/1.1  200 OK\r\n", .statusLine), (" HTTP/1.1 200 OK\r\n", .statusLine),
            ("HTTP/1.1\t200 OK\r\n", .statusLine), ("HTTP/1.1 20 OK\r\n", .statusLine),
            ("HTTP/1.1 2000 OK\r\n", .statusLine), ("HTTP/1.1 2xx OK\r\n", .statusLine),
            ("HTTP/1.1 200OK\r\n", .statusLine), ("HTTP/1.1 200\tOK\r\n", .statusLine),
            ("HTTP/1.1 -20 OK\r\n", .statusLine), ("HTTP/1.1 000 OK\r\n", .statusLine),
            ("HTTP/1.1 099 OK\r\n", .statusLine), ("HTTP/1.1 \r\n", .statusLine),
            ("HTTP/1.1 200 a\0b\r\n", .statusLine), ("HTTP/1.1 200 \u{7F}\r\n", .statusLine),
            ("\u{16}\u{3}\u{1}\r\n", .statusLine), ("HTTP/1.1 200 OK\n", .lineEnd),
            ("HTTP/1.1 200 O\rK\r\n", .lineEnd), ("HTTP/1.1 200 OK\r\r\n", .lineEnd), ("\n", .lineEnd),
        ] as [(String, HTTPError)])
    func badStatusLine(line: String, error: HTTPError) {
        #expect(replayAnswer(line + Self.fields).end == .failed(error))
    }

    @Test(
        "RFC 9112 §5: field lines are held to the rules of a request's",
        arguments: [
            ("A\r\n\r\n", .fieldLine), ("A : b\r\n\r\n", .fieldLine), (": b\r\n\r\n", .fieldLine),
            ("A: b\0\r\n\r\n", .fieldLine), (" A: b\r\n\r\n", .foldedLine),
            ("A: b\r\n c\r\n\r\n", .foldedLine),
            ("A: b\n\r\n", .lineEnd), ("A: b\r\n\n", .lineEnd), ("A: b\rc\r\n\r\n", .lineEnd),
        ] as [(String, HTTPError)])
    func badFields(fields: String, error: HTTPError) {
        #expect(replayAnswer("HTTP/1.1 200 OK\r\n\(fields)").end == .failed(error))
    }

    @Test(
        "a head that is not whole is neither taken nor refused",
        arguments: [
            "", "H", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r", "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n",
        ])
    func incomplete(text: String) {
        #expect(replayAnswer(text) == Answer())
    }

    @Test(
        "RFC 9110 §15.2: interim answers are passed over, however many; 101 is not one of them",
        arguments: [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 199 x\r\n\r\nHTTP/1.1 102\r\nA: b\r\n\r\n",
            String(repeating: "HTTP/1.1 100 x\r\n\r\n", count: 30),
        ])
    func interim(before: String) {
        let final = replayAnswer(before + "HTTP/1.1 201 x\r\nB: 2\r\nContent-Length: 2\r\n\r\nok")
        #expect(final.status == 201 && final.fields.first == "B: 2" && final.text == "ok" && final.isWhole)
        let upgrade = replayAnswer(before + "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n")
        #expect(upgrade.status == 101 && upgrade.isWhole)
        #expect(replayAnswer(before) == Answer())
        #expect(replayAnswer(before + "HTTP/1.1 99 x\r\n\r\n").end == .failed(.statusLine))
    }

    @Test("the status line is bounded as the fields are, and neither leaves less for the other")
    func sizeLimit() {
        var limits = HTTPLimits()
        limits.maxFieldSectionSize = 40
        func line(_ count: Int) -> String { "HTTP/1.1 200 ".padding(to: count) + "\r\n" }
        func fields(_ count: Int) -> String { "A: ".padding(to: count - 2) + "\r\n\r\n" }
        #expect(replayAnswer(line(40) + fields(40), limits: limits).status == 200)
        let tooLarge = Answer.End.failed(.fieldSectionTooLarge(limit: 40))
        #expect(replayAnswer(line(41) + fields(4), limits: limits).end == tooLarge)
        #expect(replayAnswer(line(13) + fields(42), limits: limits).end == tooLarge)
        #expect(replayAnswer("x".padding(to: 41), limits: limits).end == tooLarge, "without an end")
        #expect(replayAnswer(line(13) + "A: ".padding(to: 41), limits: limits).end == tooLarge)
    }

    @Test("fields are counted, in each answer anew")
    func countLimit() {
        var limits = HTTPLimits()
        limits.maxFieldCount = 2
        let two = "A: 1\r\nB: 2\r\n"
        let interim = "HTTP/1.1 103 x\r\n\(two)\r\n"
        #expect(
            replayAnswer("\(interim)\(interim)HTTP/1.1 200 x\r\n\(two)\r\n", limits: limits).status == 200)
        #expect(
            replayAnswer("\(interim)HTTP/1.1 200 x\r\n\(two)C: 3\r\n\r\n", limits: limits).end
                == .failed(.tooManyFields(limit: 2)))
    }
}

@Suite("RFC 9112 §6.3: where an answer ends")
struct ResponseContentTests {
    private static func text(
        _ fields: String, _ content: String = "", status: Int = 200, version: String = "1.1"
    )
        -> String
    { "HTTP/\(version) \(status) x\r\n\(fields)\r\n\(content)" }

    @Test(
        "RFC 9112 §6.3 rules 1 and 2: no content, whatever the fields say",
        arguments: [
            (HTTPRequest.Method.head, 200), (.head, 404), (.get, 204), (.get, 304), (.get, 101), (.post, 204),
            (.connect, 200), (.connect, 299),
        ],
        [
            "", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: x\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n",
        ])
    func noContent(answered: (HTTPRequest.Method, Int), fields: String) {
        let answer = replayAnswer(Self.text(fields, status: answered.1), answering: answered.0)
        #expect(answer.framing == .noContent && answer.isWhole && answer.content.isEmpty)
    }

    @Test(
        "RFC 9112 §6.3: methods and statuses that do not take content away",
        arguments: [
            (HTTPRequest.Method.connect, 300), (.connect, 407), (.options, 200), (.get, 205), (.get, 404),
            (.get, 599),
        ])
    func content(answered: (HTTPRequest.Method, Int)) {
        let answer = replayAnswer(
            Self.text("Content-Length: 3\r\n", "abc", status: answered.1), answering: answered.0)
        #expect(answer.text == "abc" && answer.isWhole)
    }

    @Test(
        "RFC 9112 §6.3 rule 6: Content-Length",
        arguments: [
            ("Content-Length: 3\r\n", "abc"), ("content-length:\t003 \r\n", "abc"),
            ("Content-Length: 0\r\n", ""),
        ])
    func contentLength(fields: String, content: String) {
        let answer = replayAnswer(Self.text(fields, content))
        #expect(answer.framing == .length(content.utf8.count))
        #expect(answer.text == content && answer.end == .whole(trailers: nil))
        #expect(replayAnswer(Self.text("Content-Length: 4\r\n", "abc")).end == .open, "cut off")
    }

    @Test(
        "RFC 9112 §6.3 rule 5: a Content-Length that is not one number is an error, and no end of the connection",
        arguments: [
            "Content-Length: \r\n", "Content-Length: x\r\n", "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1,1\r\n", "Content-Length: 1 1\r\n", "Content-Length: 0x1\r\n",
            "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 9223372036854775808\r\n", "Content-Length: 99999999999999999999999\r\n",
        ])
    func badContentLength(fields: String) {
        #expect(replayAnswer(Self.text(fields, "a")).end == .failed(.contentLength))
    }

    @Test(
        "RFC 9112 §6.3 rule 8: without either field the connection's end ends it", arguments: ["1.1", "1.0"])
    func untilClose(version: String) {
        for content in ["", "abc", "0\r\n\r\n"] {
            let answer = replayAnswer(Self.text("A: b\r\n", content, version: version))
            #expect(answer.framing == .untilClose && answer.text == content && answer.isWhole)
        }
    }

    @Test("RFC 9112 §7.1: chunks, extensions and trailers", arguments: ["chunked", "Chunked", "CHUNKED\t"])
    func chunked(coding: String) throws {
        let answer = replayAnswer(
            Self.text("Transfer-Encoding: \(coding)\r\n", "2;x\r\nhe\r\n003\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n"))
        let name = try #require(HTTPField.Name("X-Sum"))
        #expect(answer.framing == .chunked && answer.text == "hello")
        #expect(answer.end == .whole(trailers: [name: "1"]))
        #expect(
            replayAnswer(Self.text("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n")).end == .open,
            "cut off")
    }

    @Test(
        "RFC 9112 §7.1: a chunk that is none is an error",
        arguments: ["x\r\n", "\r\n", "1\r\nab\r\n", "1\na\r\n", "fffffffffffffffffg\r\n", "1 \r\na\r\n"])
    func badChunk(content: String) {
        #expect(replayAnswer(Self.text("Transfer-Encoding: chunked\r\n", content)).end == .failed(.chunk))
    }

    @Test(
        "RFC 9112 §6.1, §6.3 rules 3 and 4: codings that leave the end in doubt",
        arguments: [
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "1.1", .conflictingFraming),
            ("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n", "1.1", .conflictingFraming),
            ("Transfer-Encoding: chunked\r\n", "1.0", .conflictingFraming),
            ("Transfer-Encoding: chunked, chunked\r\n", "1.1", .transferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "1.1", .transferEncoding),
            ("Transfer-Encoding: \r\n", "1.1", .transferEncoding),
            ("Transfer-Encoding: chunked;q=1\r\n", "1.1", .transferEncoding),
            ("Transfer-Encoding: chunked, gzip\r\n", "1.1", .transferEncoding),
            ("Transfer-Encoding: gzip, chunked\r\n", "1.1", .transferCodingNotImplemented),
            ("Transfer-Encoding: gzip\r\n", "1.1", .transferCodingNotImplemented),
            ("Transfer-Encoding: identity\r\n", "1.1", .transferCodingNotImplemented),
        ] as [(String, String, HTTPError)])
    func badTransferEncoding(fields: String, version: String, error: HTTPError) {
        let answer = replayAnswer(Self.text(fields, "5\r\nhello\r\n0\r\n\r\n", version: version))
        #expect(answer.end == .failed(error))
    }
}

extension String {
    /// The text with as many `x` behind it as make it that long.
    fileprivate func padding(to count: Int) -> String {
        self + String(repeating: "x", count: max(0, count - utf8.count))
    }
}
