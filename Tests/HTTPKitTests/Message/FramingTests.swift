import HTTPTypes
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §6: where a message ends")
struct FramingTests {
    private static func text(_ fields: String, version: String = "1.1") -> String {
        "POST / HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n"
    }

    @Test("RFC 9112 §6.3 rule 7: without Content-Length and Transfer-Encoding there is no content")
    func noContent() {
        let events = replay(Self.text("") + Self.text(""))
        #expect(events.count == 4)
        #expect(events[1] == .end(nil))
    }

    @Test(
        "RFC 9112 §6.2, RFC 9110 §8.6: Content-Length",
        arguments: [
            ("Content-Length: 3\r\n", 3), ("content-length:\t0003 \r\n", 3), ("Content-Length: 0\r\n", 0),
        ])
    func contentLength(fields: String, length: Int) throws {
        #expect(try head(of: Self.text(fields)).framing == (length == 0 ? .none : .length(length)))
        let events = replay(Self.text(fields) + String("abc".prefix(length)) + Self.text(""))
        #expect(events.last == .end(nil))
        #expect(events.contains(.data(Array("abc".utf8))) == (length == 3))
    }

    @Test(
        "RFC 9112 §6.3 rule 5: a Content-Length that is not one number is 400",
        arguments: [
            "", "x", "-1", "+1", "1.0", "0x10", "1 2", "1,1", "1, 1", ",", "1,", "\u{FF11}", "1\u{E9}",
            "18446744073709551616", "9223372036854775808", "99999999999999999999999999999999",
        ])
    func badContentLength(value: String) {
        Refused(Self.text("Content-Length: \(value)\r\n"), .contentLength).check()
    }

    @Test("RFC 9112 §6.3 rule 5: Content-Length twice is 400, equal or not")
    func repeatedContentLength() {
        Refused(Self.text("Content-Length: 1\r\nContent-Length: 1\r\n"), .contentLength).check()
        Refused(Self.text("Content-Length: 1\r\ncontent-length: 2\r\n"), .contentLength).check()
    }

    @Test(
        "RFC 9112 §6.3 rule 3: Content-Length beside Transfer-Encoding is 400",
        arguments: ["chunked", "gzip", "", "x, y"])
    func bothFields(coding: String) {
        Refused(Self.text("Content-Length: 1\r\nTransfer-Encoding: \(coding)\r\n"), .conflictingFraming)
            .check()
        Refused(Self.text("Transfer-Encoding: \(coding)\r\nContent-Length: 0\r\n"), .conflictingFraming)
            .check()
    }

    @Test("RFC 9112 §6.1: Transfer-Encoding in HTTP/1.0 is 400")
    func oldVersion() {
        Refused(Self.text("Transfer-Encoding: chunked\r\n", version: "1.0"), .conflictingFraming).check()
    }

    @Test("RFC 9112 §6.1, §7: chunked, whatever its case", arguments: ["chunked", "Chunked", " CHUNKED\t"])
    func chunked(value: String) throws {
        #expect(try head(of: Self.text("Transfer-Encoding:\(value)\r\n")).framing == .chunked)
    }

    @Test(
        "RFC 9112 §6.3 rule 4, §6.1: chunked not once and last is 400, an unknown coding 501",
        arguments: [
            Refused("Transfer-Encoding: \r\n", .transferEncoding),
            Refused("Transfer-Encoding: ,\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked,\r\n", .transferEncoding),
            Refused("Transfer-Encoding: ,chunked\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked, chunked\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked, gzip\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked;a=b\r\n", .transferEncoding),
            Refused("Transfer-Encoding: \"chunked\"\r\n", .transferEncoding),
            Refused("Transfer-Encoding: chunked chunked\r\n", .transferEncoding),
            Refused("Transfer-Encoding: gzip, chunked\r\n", .transferCodingNotImplemented),
            Refused(
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", .transferCodingNotImplemented),
            Refused("Transfer-Encoding: identity\r\n", .transferCodingNotImplemented),
            Refused("Transfer-Encoding: xchunked\r\n", .transferCodingNotImplemented),
            Refused("Transfer-Encoding: \u{B}chunked\r\n", .fieldLine),
            Refused("Transfer-Encoding : chunked\r\n", .fieldLine),
        ])
    func badTransferEncoding(fields: Refused) { Refused(Self.text(fields.text), fields.error).check() }
}

@Suite("RFC 9112 §7.1: the chunked transfer coding")
struct ChunkedTests {
    private static let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    private static let next = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test(
        "RFC 9112 §7.1, §7.1.1: sizes of either case, leading zeros, extensions",
        arguments: [
            "5\r\nhello\r\n0\r\n\r\n", "0005\r\nhello\r\n00000\r\n\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "5;a\r\nhello\r\n0;b=c\r\n\r\n", "5 ; a=\"x;\\\" y\"\r\nhello\r\n0\t;z\r\n\r\n",
            "5;a=b;c ;d = \"\";e=\"\u{E9}\t\\\u{E9}\"\r\nhello\r\n0 ; a\r\n\r\n",
        ])
    func chunks(body: String) {
        let events = replay(Self.head + body + Self.next)
        #expect(events.count == 5)
        #expect(events[1] == .data(Array("hello".utf8)))
        #expect(events[2] == .end(nil))
    }

    @Test("RFC 9112 §7.1: hexadecimal digits of either case", arguments: ["1A", "1a", "01a"])
    func hexadecimal(size: String) {
        let data = String(repeating: "x", count: 26)
        #expect(replay("\(Self.head)\(size)\r\n\(data)\r\n0\r\n\r\n")[1] == .data(Array(data.utf8)))
    }

    @Test(
        "RFC 9112 §7.1: a malformed chunk is an error",
        arguments: [
            "\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1 \r\na\r\n", " 1\r\na\r\n", "1\na\r\n", "1\ra",
            "1;a\nb\r\n",
            "1;a\rb\r\n", "1;\0\r\n", "1,\r\n", "1\r\nab\r\n", "1\r\na\n", "1\r\na\rb", "2\r\na\r\n0\r\n\r\n",
            "0\r\n\r\n".replacing("0", with: "\u{FF10}"), "fffffffffffffffffg\r\n",
        ])
    func malformed(body: String) {
        Refused(Self.head + body, .chunk).check()
    }

    @Test(
        "RFC 9112 §7.1.1: what is no extension is an error, as is a line that ends inside of one",
        arguments: [
            ";", ";;a", ";a;", "; ", ";=b", ";a=", ";a= ", ";a=;b", ";a=b=c", ";a b", ";a=b c", ";a ",
            ";a=b ", ";a[=b", ";a=b[",
            ";\u{E9}", ";a=\u{E9}", ";a=\"", ";a=\"b", ";a=\"b\\\"", ";a=\"b\"c", ";a=\"b\"\"", ";a=\"b\" ",
            ";\"a\"", ";a=\"\u{1}\"",
            ";a=\"\\\u{7F}\"",
        ])
    func malformedExtension(text: String) {
        Refused(Self.head + "5\(text)\r\nhello\r\n0\r\n\r\n", .chunk).check()
    }

    @Test(
        "RFC 9112 §7.1: a size that no number holds is the largest there is, and no trap",
        arguments: [
            "fffffffffffffff", "fffffffffffffffff", "8000000000000000", "ffffffffffffffff",
            "100000000000000000000000000000000005",
        ])
    func hugeSize(size: String) {
        let events = replay(Self.head + "\(size)\r\nabc")
        #expect(events.last == .data(Array("abc".utf8)))
    }

    @Test("RFC 9112 §7.1.1: extensions and leading zeros of all chunks together are bounded")
    func extensionsLimit() {
        var limits = HTTPLimits()
        limits.maxChunkExtensionsSize = 20
        let chunk = "1;aaaa\r\nx\r\n"
        let four = String(repeating: chunk, count: 4)
        #expect(replay(Self.head + four + "0\r\n\r\n", limits: limits).last == .end(nil))
        Refused(Self.head + four + "0;z\r\n\r\n", .chunkExtensionsTooLarge(limit: 20)).check(limits: limits)
        let zeros = String(repeating: "0", count: 30)
        Refused(Self.head + zeros, .chunkExtensionsTooLarge(limit: 20)).check(limits: limits)
    }

    @Test("RFC 9112 §7.1.2, RFC 9110 §6.5: trailers are delivered, those that must not be are dropped")
    func trailers() {
        let events = replay(
            Self.head + "0\r\nX-Sum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: x\r\n"
                + "Authorization: a\r\nContent-Type: t\r\nx-sum: 2\r\n\r\n" + Self.next)
        let name = HTTPField.Name("X-Sum") ?? .via
        var wanted = HTTPFields()
        wanted.append(HTTPField(name: name, value: "1"))
        wanted.append(HTTPField(name: name, value: "2"))
        #expect(events[1] == .end(wanted))
        #expect(events.count == 4)
        #expect(replay(Self.head + "0\r\nHost: x\r\n\r\n")[1] == .end(nil))
    }

    @Test(
        "RFC 9112 §7.1.2: a malformed trailer section is an error",
        arguments: [
            Refused("0\r\nA\r\n\r\n", .fieldLine), Refused("0\r\nA : b\r\n\r\n", .fieldLine),
            Refused("0\r\nA: b\n\r\n", .lineEnd), Refused("0\r\nA: b\r\n c\r\n\r\n", .foldedLine),
            Refused("0\r\nA: \0", .fieldLine), Refused("0\r\n\n", .lineEnd), Refused("0\r\n\rx", .lineEnd),
        ])
    func badTrailers(body: Refused) { Refused(Self.head + body.text, body.error).check() }

    @Test("RFC 6585 §5: trailers are held to the limits of a head")
    func trailerLimits() {
        var limits = HTTPLimits()
        limits.maxFieldCount = 2
        limits.maxFieldSectionSize = 44
        #expect(replay(Self.head + "0\r\na: 1\r\nb: 2\r\n\r\n", limits: limits).last != nil)
        Refused(Self.head + "0\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n", .tooManyFields(limit: 2)).check(
            limits: limits)
        let long = "0\r\na: \(String(repeating: "x", count: 50))"
        Refused(Self.head + long, .fieldSectionTooLarge(limit: 44)).check(limits: limits)
    }
}
