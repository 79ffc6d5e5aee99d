import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §4-§7: the response encoder")
struct ResponseEncoderTests {
    private func head(
        _ status: HTTPResponse.Status = .ok, _ fields: HTTPFields = [:],
        _ framing: ResponseFraming = .length(2),
        declared: Int? = nil, minor: Int = 1, keepAlive: Bool = true
    ) -> String {
        var out = ByteBuffer()
        ResponseEncoder.writeHead(
            status: status, fields: fields, framing: framing, declaredLength: declared, minorVersion: minor,
            keepAlive: keepAlive, date: DateLine(secondsSinceEpoch: 784_111_777), into: &out)
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        let text = String(buffer: out)
        #expect(text.components(separatedBy: date).count == 2, "one Date, as given")
        return text.components(separatedBy: date).joined(separator: "Date: D\r\n")
    }

    @Test("RFC 9112 §4, §6.2: status line, Date, fields, Content-Length")
    func plain() {
        #expect(
            head(.ok, [.contentType: "text/plain"])
                == "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n")
        #expect(
            head(.notFound, [:], .length(0))
                == "HTTP/1.1 404 Not Found\r\nDate: D\r\nContent-Length: 0\r\n\r\n")
    }

    @Test("RFC 9112 §4: the reason phrase may be empty, its space may not be left out")
    func noReason() { #expect(head(.init(code: 299)).hasPrefix("HTTP/1.1 299 \r\n")) }

    @Test("RFC 9112 §6.1, §9.3, §9.6: framing and Connection", arguments: [0, 1])
    func connection(minor: Int) {
        let keeps = head(.ok, [:], .length(1), minor: minor)
        #expect(keeps.contains("Connection: keep-alive\r\n") == (minor == 0))
        #expect(head(.ok, [:], .length(1), minor: minor, keepAlive: false).contains("Connection: close\r\n"))
        #expect(head(.ok, [:], .untilClose, minor: minor).contains("Connection: close\r\n"))
        #expect(head(.ok, [:], .chunked).contains("Transfer-Encoding: chunked\r\n"))
        #expect(!head(.ok, [:], .chunked).contains("Content-Length"))
    }

    @Test("RFC 9110 §8.6, §15.4.5: no framing for what has no content, but what HEAD would have had")
    func noContent() {
        #expect(head(.noContent, [:], .noContent) == "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n")
        #expect(head(.ok, [:], .noContent, declared: 7).contains("Content-Length: 7\r\n"))
    }

    @Test("RFC 9112 §6, RFC 9110 §6.6.1: the fields that frame are the server's alone")
    func framingFields() {
        let fields: HTTPFields = [
            .contentLength: "99", .transferEncoding: "gzip", .connection: "x-hop", .date: "yesterday",
            .server: "s",
        ]
        #expect(head(.ok, fields) == "HTTP/1.1 200 OK\r\nDate: D\r\nServer: s\r\nContent-Length: 2\r\n\r\n")
    }

    @Test("RFC 9110 §7.8, §15.5.22: Upgrade is named in Connection")
    func upgradeRequired() {
        let fields: HTTPFields = [.upgrade: "websocket"]
        #expect(
            head(.upgradeRequired, fields).hasSuffix(
                "Upgrade: websocket\r\nContent-Length: 2\r\nConnection: upgrade\r\n\r\n"))
        #expect(head(.upgradeRequired, fields, keepAlive: false).contains("Connection: close, upgrade\r\n"))
    }

    @Test(
        "RFC 9110 §5.5: no value can begin another line",
        arguments: ["a\r\nB: c", "a\nB: c", "a\rB", "\0a", "a\r\n\r\nx"])
    func injection(value: String) {
        let text = head(.ok, [.server: value])
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        #expect(lines.count == 6)
        #expect(!text.unicodeScalars.contains { $0 == "\0" })
        #expect(!text.replacing("\r\n", with: "").unicodeScalars.contains { $0 == "\r" || $0 == "\n" })
    }

    @Test("RFC 9110 §15: no reason phrase can begin another line")
    func reasonInjection() {
        let text = head(.init(code: 299, reasonPhrase: "a\r\nB: c"))
        #expect(text.split(separator: "\r\n", omittingEmptySubsequences: false).count == 5)
    }

    @Test(
        "RFC 9112 §7.1: chunks",
        arguments: [
            (1, "1"), (9, "9"), (10, "a"), (15, "f"), (16, "10"), (255, "ff"), (256, "100"),
            (65_536, "10000"),
        ])
    func chunk(size: Int, hexadecimal: String) {
        var out = ByteBuffer()
        ResponseEncoder.writeChunk(ByteBuffer(repeating: 0x78, count: size), into: &out)
        #expect(String(buffer: out) == "\(hexadecimal)\r\n\(String(repeating: "x", count: size))\r\n")
    }

    @Test("RFC 9112 §7.1: an empty chunk would end the content and is not written")
    func emptyChunk() {
        var out = ByteBuffer()
        ResponseEncoder.writeChunk(ByteBuffer(), into: &out)
        #expect(out.readableBytes == 0)
        ResponseEncoder.writeLastChunk(trailers: nil, into: &out)
        #expect(String(buffer: out) == "0\r\n\r\n")
    }

    @Test("RFC 9112 §7.1.2: trailers, without those that frame")
    func trailers() {
        var out = ByteBuffer()
        ResponseEncoder.writeLastChunk(trailers: [.eTag: "\"x\"", .contentLength: "1"], into: &out)
        #expect(String(buffer: out) == "0\r\nETag: \"x\"\r\n\r\n")
    }

    @Test("RFC 9110 §15.2: an interim answer has no framing and no Date")
    func interim() {
        var out = ByteBuffer()
        ResponseEncoder.writeInterim(status: .continue, fields: [:], into: &out)
        #expect(String(buffer: out) == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test("RFC 9112 §6.1: what is written as chunks is read as the same content", arguments: 0..<20)
    func roundTrip(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var out = ByteBuffer()
        var content: [UInt8] = []
        for _ in 0..<10 {
            let piece = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            content += piece
            ResponseEncoder.writeChunk(ByteBuffer(bytes: piece), into: &out)
        }
        ResponseEncoder.writeLastChunk(trailers: nil, into: &out)
        var decoder = ChunkedDecoder(limits: HTTPLimits())
        var read: [UInt8] = []
        loop: while true {
            switch try decoder.next(&out) {
            case .data(let data): read += data.readableBytesView
            case .end: break loop
            case .needMore:
                Issue.record("the end is missing")
                break loop
            }
        }
        #expect(read == content)
    }

    @Test(
        "RFC 9112 §5: fields of any number and size are written whole, and the content behind them",
        arguments: [0, 1, 3, 20, 400], [0, 1, 500, 5_000])
    func manyFields(count: Int, size: Int) {
        var fields: HTTPFields = [:]
        var expected = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        for index in 0..<count {
            guard let name = HTTPField.Name("X-Field-\(index)") else { continue }
            let value = String(repeating: "v", count: size)
            fields.append(HTTPField(name: name, value: value))
            expected += "X-Field-\(index): \(value)\r\n"
        }
        let content = String(repeating: "ä", count: 3_000)
        expected += "Content-Length: 6000\r\n\r\n" + content
        for already in [0, 100, 4_000] {
            var out = ByteBuffer(repeating: 0x21, count: already)
            ResponseEncoder.writeHead(
                status: .ok, fields: fields, framing: .length(6_000), minorVersion: 1, keepAlive: true,
                date: DateLine(secondsSinceEpoch: 784_111_777), content: content.utf8, into: &out)
            #expect(String(buffer: out) == String(repeating: "!", count: already) + expected)
        }
    }

    @Test("RFC 9112 §4: a reason phrase of any length, a code of three digits")
    func longReason() {
        let reason = String(repeating: "reason ", count: 200)
        #expect(
            head(.init(code: 599, reasonPhrase: reason), [:], .length(0))
                == "HTTP/1.1 599 \(reason)\r\nDate: D\r\nContent-Length: 0\r\n\r\n")
    }

    @Test("RFC 9110 §8.6: the decimals of every length of number", arguments: 0..<19)
    func decimals(digits: Int) {
        var value = 1
        for _ in 0..<digits { value *= 10 }
        for number in [value - 1, value, value + 1, Int.max] {
            let text = head(.ok, [:], .length(number))
            #expect(text.contains("\r\nContent-Length: \(number)\r\n\r\n"))
        }
    }
}
