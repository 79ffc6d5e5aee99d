import FoundationEssentials
import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("Escaping goes by bytes")
struct EscapingTests {
    @Test(
        "HTML",
        arguments: [
            ("", ""), ("plain é", "plain é"), ("<a href='x'>&\"", "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"),
            ("\u{600}<script>", "\u{600}&lt;script&gt;"), ("\"\u{301}", "&quot;\u{301}"),
            ("&amp;", "&amp;amp;"),
        ])
    func html(text: String, expected: String) {
        #expect(Array(text.htmlEscaped.utf8) == Array(expected.utf8))
    }

    @Test(
        "RFC 9110 §5.6.4 quoted strings",
        arguments: [
            ("", "\"\""), ("a b", "\"a b\""), ("\"\\", "\"\\\"\\\\\""), ("\"\u{301}", "\"\\\"\u{301}\""),
            ("a\r\nX: y\u{0}", "\"a  X: y \""), ("é", "\"é\""),
        ])
    func quoted(text: String, expected: String) {
        #expect(Array(QuotedString.encode(text).utf8) == Array(expected.utf8))
        var scanner = FieldScanner(QuotedString.encode(text))
        let cleaned = String(decoding: text.utf8.map { $0.isForbiddenControl ? 0x20 : $0 }, as: UTF8.self)
        let read = scanner.quotedString()
        #expect(read == cleaned)
        #expect(scanner.isAtEnd)
    }

    /// The scalars that are tried: all of them but for ideographs, private use and planes without any, of which none
    /// joins with another scalar; of those every 61st.
    private static let scalars: [Unicode.Scalar] = {
        let planes = Array(0..<0x3400) + Array(0xA000..<0x20000) + Array(0xE0000..<0xE1000)
        let others = stride(from: 0x3400, through: 0x10FFFF, by: 61)
        return (planes + others).compactMap { Unicode.Scalar(UInt32($0)) }
    }()

    /// Each scalar before and behind each of `specials`, in texts of 2048 scalars.
    static func texts(around specials: String) -> some Sequence<String> {
        stride(from: 0, to: scalars.count, by: 2048).lazy.map { (first: Int) -> String in
            var text = String.UnicodeScalarView()
            for scalar in scalars[first...].prefix(2048) {
                for special in specials.unicodeScalars {
                    text.append(scalar)
                    text.append(special)
                }
                text.append(scalar)
            }
            return String(text)
        }
    }

    @Test("No scalar hides a special one: HTML")
    func everyScalarInHTML() {
        for text in Self.texts(around: "<>&\"'") {
            let escaped = Array(text.htmlEscaped.utf8)
            #expect(!escaped.contains { $0 == 0x3C || $0 == 0x3E || $0 == 0x22 || $0 == 0x27 })
            #expect(Self.unescaped(escaped) == Array(text.utf8))
        }
    }

    /// What a browser makes of the five references; another `&` is a mistake and stands for nothing.
    static func unescaped(_ bytes: [UInt8]) -> [UInt8]? {
        let references: [(text: [UInt8], byte: UInt8)] = [
            (Array("&amp;".utf8), 0x26), (Array("&lt;".utf8), 0x3C), (Array("&gt;".utf8), 0x3E),
            (Array("&quot;".utf8), 0x22), (Array("&#39;".utf8), 0x27),
        ]
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == 0x26 else {
                result.append(bytes[index])
                index += 1
                continue
            }
            guard let found = references.first(where: { bytes[index...].starts(with: $0.text) }) else {
                return nil
            }
            result.append(found.byte)
            index += found.text.count
        }
        return result
    }

    @Test("No scalar hides a special one: quoted strings and the parameters of media types")
    func everyScalarInQuotedStrings() throws {
        for text in Self.texts(around: "\"\\;") {
            let cleaned = text.utf8.map { $0.isForbiddenControl ? 0x20 : $0 }
            let quoted = QuotedString.encode(text)
            var scanner = FieldScanner(quoted)
            let read = scanner.quotedString()
            #expect(read.map { Array($0.utf8) } == cleaned)
            #expect(scanner.isAtEnd)
            let type = try #require(MediaType(parsing: "a/b; c=" + quoted + "; d=e"))
            #expect(type.parameters.map(\.name) == ["c", "d"])
            #expect(type.description.utf8.elementsEqual("a/b; c=\(quoted); d=e".utf8))
        }
    }

    @Test("No scalar hides a line end: field values of a response, and events")
    func everyScalarInHeaders() throws {
        let name = try #require(HTTPField.Name("X-Text"))
        for text in Self.texts(around: "\r\n\u{0}") {
            let field = HTTPField(name: name, value: text)
            #expect(!field.value.utf8.contains { $0 == 0x0D || $0 == 0x0A || $0 == 0 })
            #expect(throws: ServerSentEventError.self) { try ServerSentEvent(event: text) }
            #expect(throws: SetCookieError.self) { try SetCookie("a", text) }
            #expect(throws: SetCookieError.self) { try SetCookie("a", "1", path: "/" + text) }
            var buffer = ByteBuffer()
            ServerSentEvent(data: text).write(into: &buffer)
            let lines = buffer.readableBytesView.split(separator: 0x0A)
            #expect(lines.allSatisfy { $0.starts(with: "data: ".utf8) })
        }
    }

    @Test("No scalar hides a special one: JSON")
    func everyScalarInJSON() throws {
        for text in Self.texts(around: "\"\\\n") {
            let encoded = try JSON.encode([text])
            #expect(!encoded.readableBytesView.contains { $0 < 0x20 })
            let decoded = try JSONDecoder().decode([String].self, from: Data(encoded.readableBytesView))
            #expect(decoded.count == 1 && decoded[0].utf8.elementsEqual(text.utf8))
        }
    }
}
