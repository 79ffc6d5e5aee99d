import NIOCore
import Testing

@testable import HTTPKit

@Suite("WHATWG HTML §9.2 server-sent events")
struct ServerSentEventTests {
    private func written(_ event: ServerSentEvent) -> String {
        var buffer = ByteBuffer()
        event.write(into: &buffer)
        return String(buffer: buffer)
    }

    @Test("WHATWG HTML §9.2.5 fields")
    func fields() throws {
        let event = try ServerSentEvent(event: "e", id: "7", data: "hello", retry: 500, comment: "c")
        #expect(written(event) == ": c\nretry: 500\nid: 7\nevent: e\ndata: hello\n\n")
        #expect(written(ServerSentEvent(comment: "")) == ": \n\n")
        #expect(written(try ServerSentEvent(id: "")) == "id: \n\n")
    }

    @Test(
        "WHATWG HTML §9.2.6 data of several lines",
        arguments: [
            ("", "data: \n\n"), ("a\nb", "data: a\ndata: b\n\n"), ("a\r\nb", "data: a\ndata: b\n\n"),
            ("a\rb", "data: a\ndata: b\n\n"), ("a\n\nevent: x", "data: a\ndata: \ndata: event: x\n\n"),
            (" a", "data:  a\n\n"), ("a\n", "data: a\ndata: \n\n"), ("\r\n\r", "data: \ndata: \ndata: \n\n"),
            ("é\r\n€", "data: é\ndata: €\n\n"),
        ])
    func lines(data: String, expected: String) {
        #expect(written(ServerSentEvent(data: data)) == expected)
    }

    @Test("Names and ids with line ends are refused", arguments: ["a\nb", "a\r", "\u{0}", "\r\n"])
    func injection(text: String) {
        #expect(throws: ServerSentEventError.event(text)) { try ServerSentEvent(event: text, data: "x") }
        #expect(throws: ServerSentEventError.id(text)) { try ServerSentEvent(id: text, data: "x") }
        #expect(throws: ServerSentEventError.retry(-1)) { try ServerSentEvent(retry: -1) }
    }
}

@Suite("RFC 9110 §8.3.1 media types")
struct MediaTypeTests {
    @Test(
        "RFC 9110 §8.3.1 type, subtype, parameters",
        arguments: [
            ("text/html", "text/html"), ("Text/HTML;Charset=UTF-8", "text/html; charset=UTF-8"),
            ("text/html ; charset=\"utf-8\"", "text/html; charset=utf-8"),
            ("a/b;c=\"d;\\\"e\"", "a/b; c=\"d;\\\"e\""),
            ("a/b;", "a/b"), ("", nil), ("text", nil), ("text/", nil), ("/html", nil), ("a/b c", nil),
            ("a/b;c", nil),
            ("a/b;c=", nil), ("a/b;c=\"", nil), ("a/b, c/d", nil), ("a/b;c=d e", nil),
            ("a/b;c=\"\"", "a/b; c=\"\""), ("a/b ; c = d", "a/b; c=d"), ("a/b\t;\tc =\t\"d\"", "a/b; c=d"),
            ("a/b;c=d/e:f=g", "a/b; c=\"d/e:f=g\""), ("a/b;c = ", nil),
            ("a/b;c=\"\\\"\u{301}\"", "a/b; c=\"\\\"\u{301}\""),
            ("a/b;c=\"\u{600}\\\\\"", "a/b; c=\"\u{600}\\\\\""), ("a/b;c=\"\r\nX: y\"", nil),
        ] as [(String, String?)])
    func parses(text: String, expected: String?) {
        #expect(MediaType(parsing: text)?.description == expected)
    }

    @Test("RFC 9110 §8.3.2 charset")
    func charset() {
        #expect(MediaType(parsing: "text/html;charset=UTF-8")?.charset == "utf-8")
        #expect(MediaType(parsing: "text/html")?.charset == nil)
    }
}

@Suite("FIPS 180-4 SHA-256")
struct SHA256Tests {
    @Test(
        "FIPS 180-4 §6.2 known digests",
        arguments: [
            ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ), ("a", 100_000, "6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee"),
        ])
    func digests(text: String, times: Int, expected: String) {
        var hash = SHA256()
        hash.update(ByteBuffer(string: String(repeating: text, count: times)))
        #expect(hash.finishHex() == expected)
    }

    @Test("A digest does not depend on how its input is split")
    func splits() {
        let bytes = (0..<200).map { UInt8($0) }
        for length in 0...200 {
            var whole = SHA256()
            whole.update(ByteBuffer(bytes: bytes[..<length]))
            let expected = whole.finish()
            for split in stride(from: 0, through: length, by: 7) {
                var hash = SHA256()
                hash.update(ByteBuffer(bytes: bytes[..<split]))
                hash.update(ByteBuffer(bytes: bytes[split..<length]))
                #expect(hash.finish() == expected)
            }
        }
    }
}
