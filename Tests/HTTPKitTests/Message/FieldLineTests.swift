import HTTPTypes
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §5: field lines")
struct FieldLineTests {
    @Test("RFC 9110 §5.5, RFC 9112 §5.1: white space around a value is not of it, inside it is")
    func whiteSpace() throws {
        let head = try head(
            of: "GET / HTTP/1.1\r\nHost:h\r\nA: \t x \t y\t \r\nB:\r\nC: \t \r\nD:\"q, \\\" z\"\r\n\r\n")
        #expect(head.fields == ["Host: h", "A: x \t y", "B: ", "C: ", "D: \"q, \\\" z\""])
    }

    @Test("RFC 9110 §5.5: octets beyond US-ASCII in a value are kept")
    func otherOctets() throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nA: "
        let events = replay(Array(text.utf8) + [0xE9, 0x80, 0xFF] + Array("\r\n\r\n".utf8))
        guard case .head(let head) = try #require(events.first) else {
            Issue.record("\(events)")
            return
        }
        #expect(head.fields.last == "A: \u{E9}\u{80}\u{FF}")
    }

    @Test("RFC 9110 §5.1: any token is a field name")
    func names() throws {
        let name = "!#$%&'*+-.^_`|~09AZaz"
        #expect(try head(of: "GET / HTTP/1.1\r\nHost: h\r\n\(name): 1\r\n\r\n").fields.last == "\(name): 1")
    }

    @Test(
        "RFC 9112 §5: what is no field line is 400",
        arguments: [
            Refused("A\r\n", .fieldLine), Refused(": x\r\n", .fieldLine), Refused("A : x\r\n", .fieldLine),
            Refused("A\t: x\r\n", .fieldLine), Refused("A b: x\r\n", .fieldLine),
            Refused("A(b): x\r\n", .fieldLine),
            Refused("\u{E9}: x\r\n", .fieldLine), Refused("A\0: x\r\n", .fieldLine),
            Refused("A;b: x\r\n", .fieldLine),
            Refused("A: x\0y\r\n", .fieldLine), Refused("A: x\u{1}\r\n", .fieldLine),
            Refused("A: \u{7F}\r\n", .fieldLine),
            Refused("A: \u{B}x\r\n", .fieldLine), Refused("A: \u{8}x\r\n", .fieldLine),
            Refused("A: 0123456789abcdef0123456789\0\r\n", .fieldLine),
        ])
    func refused(line: Refused) {
        Refused("GET / HTTP/1.1\r\nHost: h\r\n\(line.text)\r\n", line.error).check()
    }

    @Test(
        "RFC 9112 §2.2: a bare CR or LF ends no line",
        arguments: [
            "GET / HTTP/1.1\r\nHost: h\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\n",
            "GET / HTTP/1.1\r\nHost: h\r\n\rX",
            "GET / HTTP/1.1\r\nA\n: x\r\n\r\n".replacing("A\n", with: "\n"),
        ])
    func bareLineEnds(text: String) { Refused(text, .lineEnd).check() }

    @Test("RFC 9112 §5.2: a folded line is 400", arguments: [" b\r\n", "\tb\r\n", " \r\n"])
    func foldedLine(next: String) {
        Refused("GET / HTTP/1.1\r\nHost: h\r\nA: a\r\n\(next)\r\n", .foldedLine).check()
    }

    @Test("RFC 9112 §2.2: white space between the request line and the first field is 400")
    func spaceBeforeFirstField() { Refused("GET / HTTP/1.1\r\n Host: h\r\n\r\n", .foldedLine).check() }

    @Test("RFC 6585 §5: a field section up to the limit is read, one over it is 431, wherever it is cut")
    func sectionSize() {
        var limits = HTTPLimits()
        limits.maxFieldSectionSize = 40
        // "Host: h\r\n" has 9 octets, "A: \r\n" 5.
        let full = "GET / HTTP/1.1\r\nHost: h\r\nA: \(String(repeating: "a", count: 26))\r\n\r\n"
        #expect(replay(full, limits: limits).count == 2)
        for extra in ["a", "aaa\0", "a\r\nb: c\r\n"] {
            // A line end is one character of a `String`.
            let text = full.dropLast(2) + extra + "\r\n\r\n"
            Refused(String(text), .fieldSectionTooLarge(limit: 40)).check(limits: limits)
        }
        Refused(full.dropLast() + "B:\r\n\r\n", .fieldSectionTooLarge(limit: 40)).check(limits: limits)
        #expect(HTTPError.fieldSectionTooLarge(limit: 40).status.code == 431)
    }

    @Test("RFC 6585 §5: as many fields as the limit are read, one more is 431")
    func fieldCount() {
        var limits = HTTPLimits()
        limits.maxFieldCount = 3
        let three = "GET / HTTP/1.1\r\nHost: h\r\na: 1\r\nb: 2\r\n"
        #expect(replay(three + "\r\n", limits: limits).count == 2)
        Refused(three + "c: 3\r\n\r\n", .tooManyFields(limit: 3)).check(limits: limits)
        #expect(HTTPError.tooManyFields(limit: 3).status.code == 431)
    }

    @Test("RFC 6585 §5: the default limits take 90 fields and 8 KiB")
    func defaultLimits() {
        let limits = HTTPLimits()
        #expect(limits.maxFieldCount >= 91 && limits.maxFieldCount <= 1_000)
        #expect(limits.maxFieldSectionSize >= 8 << 10 && limits.maxFieldSectionSize <= 64 << 10)
        var reader = MessageReader(limits: limits)
        let fields = (0..<90).map { "f\($0): \(String(repeating: "v", count: 90))\r\n" }.joined()
        reader.feed("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n".utf8)
        #expect(reader.events.count == 2)
    }

    @Test("RFC 9110 §10.1.1: 100-continue is the one expectation; in HTTP/1.0 it is ignored")
    func expectation() throws {
        let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
        #expect(try head(of: post + "Expect: 100-Continue\r\n\r\n").expectsContinue)
        #expect(
            try !head(of: "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
                .expectsContinue)
        Refused(post + "Expect: 200-ok\r\n\r\n", .expectation).check()
        Refused(post + "Expect:\r\n\r\n", .expectation).check()
        #expect(HTTPError.expectation.status.code == 417)
    }

    @Test("RFC 9110 §7.6.1: the options of all Connection fields count, whatever their case")
    func connectionOptions() throws {
        func options(_ fields: String) throws -> ConnectionOptions {
            ConnectionOptions(rawValue: try head(of: "GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n").connection)
        }
        #expect(try options("Connection: close\r\n") == .close)
        #expect(try options("Connection: , keep-ALIVE ,,\tUpgrade,\r\n") == [.keepAlive, .upgrade])
        #expect(try options("Connection: a\r\nCONNECTION: cLOSE\r\n") == .close)
        #expect(try options("Connection: closed, \"close\"\r\nConnection:\r\n") == [])
    }
}
