import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112: properties of the decoders")
struct DecoderPropertyTests {
    private static let heads = [
        "GET / HTTP/1.1\r\nHost: h\r\n", "HEAD /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n",
        "POST /p HTTP/1.1\r\nhost: [::1]\r\nX-Empty:\r\nX: \u{E9}\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n",
        "PUT http://h/x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, foo\r\n",
        "\r\nDELETE /d HTTP/1.1\r\nHost: h\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n",
    ]

    /// A valid request, and its content.
    private static func request(_ random: inout SeededGenerator) -> (text: [UInt8], content: [UInt8]) {
        let index = Int.random(in: 0..<heads.count, using: &random)
        let head = Array(heads[index].utf8)
        let content = (0..<Int.random(in: 0...40, using: &random)).map { _ in
            // Content that looks like framing must not be taken for it.
            "\r\n0:;GET /".utf8.randomElement(using: &random) ?? 0
        }
        switch Int.random(in: 0..<(index == heads.count - 1 ? 2 : 3), using: &random) {
        case 0: return (head + Array("\r\n".utf8), [])
        case 1: return (head + Array("Content-Length: \(content.count)\r\n\r\n".utf8) + content, content)
        default:
            var text = head + Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
            var rest = content[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...rest.count, using: &random))
                rest = rest.dropFirst(piece.count)
                let ext = Bool.random(using: &random) ? "" : ";e=\"1\""
                text.append(contentsOf: "\(String(piece.count, radix: 16))\(ext)\r\n".utf8)
                text.append(contentsOf: piece)
                text.append(contentsOf: "\r\n".utf8)
            }
            let trailer = Bool.random(using: &random) ? "" : "X-T: 1\r\n"
            text.append(contentsOf: "0\r\n\(trailer)\r\n".utf8)
            return (text, content)
        }
    }

    @Test(
        "RFC 9112 §9.3.2: any pipeline of valid requests gives the same events at any split",
        arguments: 0..<200)
    func pipelines(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var stream: [UInt8] = []
        var contents: [[UInt8]] = []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let (text, content) = Self.request(&random)
            stream += text
            contents.append(content)
        }
        var whole = MessageReader(limits: HTTPLimits())
        whole.feed(stream)
        #expect(whole.events.filter { if case .end = $0 { true } else { false } }.count == contents.count)
        let read = whole.events.compactMap { if case .data(let data) = $0 { data } else { nil } }
        #expect(read == contents.filter { !$0.isEmpty })
        for _ in 0..<30 {
            var reader = MessageReader(limits: HTTPLimits())
            var rest = stream[...]
            while !rest.isEmpty {
                let piece = rest.prefix(
                    Int.random(in: 1...(Bool.random(using: &random) ? 3 : 90), using: &random))
                reader.feed(piece)
                rest = rest.dropFirst(piece.count)
            }
            #expect(reader.events == whole.events)
        }
    }

    /// Octets that decide something, beside arbitrary ones.
    private static let telling: [UInt8] = [
        0x00, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x23, 0x25, 0x2A, 0x2B, 0x2C, 0x2D, 0x2F, 0x30, 0x31, 0x39, 0x3A,
        0x3B, 0x3F,
        0x40, 0x41, 0x5B, 0x5D, 0x66, 0x7F, 0x80, 0xFF,
    ]

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let at = Int.random(in: 0...bytes.count, using: &random)
            let byte =
                Bool.random(using: &random)
                ? UInt8.random(in: 0...255, using: &random) : telling.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes.insert(byte, at: at)
            case 1 where at < bytes.count: bytes.remove(at: at)
            case 2 where at < bytes.count: bytes[at] = byte
            case 3: bytes.removeSubrange(at...)
            default:
                let end = Int.random(in: at...min(bytes.count, at + 20), using: &random)
                bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
            }
        }
    }

    @Test(
        "RFC 9112: mutated messages are read or refused alike however they are cut, and never trap",
        arguments: 0..<20)
    func mutations(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 1_000_000)
        var limits = HTTPLimits()
        limits.maxFieldSectionSize = 120
        limits.maxTargetLength = 40
        limits.maxFieldCount = 6
        limits.maxChunkExtensionsSize = 16
        var refused = 0
        let rounds = 10_000
        for round in 0..<rounds {
            var bytes = Self.request(&random).text
            if round % 3 == 0 { bytes += Self.request(&random).text }
            Self.mutate(&bytes, &random)
            var whole = MessageReader(limits: limits)
            whole.feed(bytes)
            if case .failure = whole.events.last { refused += 1 }
            var cut = MessageReader(limits: limits)
            let at = Int.random(in: 0...bytes.count, using: &random)
            let next = Int.random(in: at...bytes.count, using: &random)
            cut.feed(bytes[..<at])
            cut.feed(bytes[at..<next])
            cut.feed(bytes[next...])
            if cut.events != whole.events {
                Issue.record(
                    "\(String(decoding: bytes, as: UTF8.self).debugDescription) cut at \(at), \(next)")
                return
            }
        }
        // A test that refuses all, or nothing, would show nothing.
        #expect(refused > rounds / 10 && refused < rounds * 95 / 100)
    }
}
