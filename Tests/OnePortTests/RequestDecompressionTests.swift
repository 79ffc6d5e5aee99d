import Compression
import HTTPKit
import HTTPTypes
import NIOCore
import OnePortTesting
import Testing

@testable import OnePort

@Suite("RFC 9110 §8.4: compressed requests")
struct RequestDecompressionTests {
    private static let text = String(repeating: "one port for the page and its socket\n", count: 500)

    private func withApp(
        decompresses: Bool = true, maxBody: Int = 64 << 10, test: (TestClient) async throws -> Void
    ) async throws {
        let app = App(configuration: AppConfiguration())
        var limits = app.limits
        limits.maxBodySize = maxBody
        app.limits = limits
        if decompresses { app.use(.decompress()) }
        app.post("/collect") { request in
            Response(
                fields: [.contentType: request.fields[.contentEncoding] ?? "none"],
                body: .bytes(try await request.body.collect()))
        }
        app.post("/count") { request in
            var (count, largest) = (0, 0)
            for try await piece in request.body {
                count += piece.readableBytes
                largest = max(largest, piece.readableBytes)
            }
            return .text("\(count) \(largest <= 64 << 10)")
        }
        app.post("/small") { request in
            .text("\(try await request.body.collect(upTo: 100).readableBytes)")
        }
        app.post("/json") { request in .text("\(try await request.json(as: [Int].self))") }
        app.post("/form") { request in .text(try await request.form()["a"] ?? "") }
        app.post("/multipart") { request in
            var text = ""
            try await request.multipart { event in
                if case .data(let data) = event { text += String(buffer: data) }
            }
            return .text(text)
        }
        app.post("/unread") { request in .text("\(request.body.length ?? -1)") }
        try await app.test(.inMemory, test)
    }

    private func gzip(_ text: String) throws -> ByteBuffer { try gzip(ByteBuffer(string: text)) }

    private func gzip(_ bytes: ByteBuffer) throws -> ByteBuffer {
        var out = ByteBuffer()
        try Deflater(format: .gzip).deflate(bytes.readableBytesSpan, into: &out, flush: .finish)
        return out
    }

    private func rawDeflate(_ text: String) throws -> ByteBuffer {
        var out = ByteBuffer()
        try Deflater().deflate(text.utf8.span.bytes, into: &out, flush: .finish)
        return out
    }

    /// Raw deflate in the format of RFC 1950: two bytes before it, Adler-32 after it.
    private func zlib(_ text: String) throws -> ByteBuffer {
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in text.utf8 {
            low = (low + UInt32(byte)) % 65521
            high = (high + low) % 65521
        }
        var out = ByteBuffer(bytes: [0x78, 0x9C])
        out.writeImmutableBuffer(try rawDeflate(text))
        out.writeInteger(high << 16 | low)
        return out
    }

    private func coded(_ coding: String, _ type: String = "application/json") -> HTTPFields {
        [.contentEncoding: coding, .contentType: type]
    }

    @Test("gzip, x-gzip and deflate with and without its header are decoded")
    func decodes() async throws {
        let bodies = [
            ("gzip", try gzip(Self.text)), ("GZip", try gzip(Self.text)), ("x-gzip", try gzip(Self.text)),
            ("identity, gzip", try gzip(Self.text)), ("deflate", try zlib(Self.text)),
            ("deflate", try rawDeflate(Self.text)), ("identity", ByteBuffer(string: Self.text)),
        ]
        try await withApp { client in
            for (coding, body) in bodies {
                let response = try await client.post("/collect", fields: coded(coding), body: body)
                #expect(response.status == .ok && response.text == Self.text, "\(coding)")
                #expect(response.fields[.contentType] == (coding == "identity" ? "identity" : "none"))
            }
            let empty = try await client.post("/collect", fields: coded("gzip"), body: try gzip(""))
            #expect(empty.status == .ok && empty.text.isEmpty)
            let unread = try await client.post("/unread", fields: coded("gzip"), body: try gzip("x"))
            #expect(unread.text == "-1")
        }
    }

    @Test("RFC 1952 §2.2: several gzip members are one body")
    func members() async throws {
        var body = try gzip("one ")
        body.writeImmutableBuffer(try gzip(""))
        body.writeImmutableBuffer(try gzip("two"))
        try await withApp { client in
            let response = try await client.post("/collect", fields: coded("gzip"), body: body)
            #expect(response.text == "one two")
        }
    }

    @Test("JSON, forms and multipart bodies are decoded")
    func readers() async throws {
        try await withApp { client in
            let json = try await client.post("/json", fields: coded("gzip"), body: try gzip("[1,2]"))
            #expect(json.text == "[1, 2]")
            let form = try await client.post(
                "/form", fields: coded("deflate", "application/x-www-form-urlencoded"),
                body: try zlib("a=b+c"))
            #expect(form.text == "b c")
            let part = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\(Self.text)\r\n--B--"
            let multipart = try await client.post(
                "/multipart", fields: coded("gzip", "multipart/form-data; boundary=B"), body: try gzip(part))
            #expect(multipart.text == Self.text)
        }
    }

    @Test("the limit counts decoded bytes, however small the compressed body is")
    func bomb() async throws {
        let size = 1 << 20
        let bomb = try gzip(String(repeating: "0", count: size))
        #expect(bomb.readableBytes < 2 << 10)
        for maxBody in [size - 1, size] {
            try await withApp(maxBody: maxBody) { client in
                let expected: HTTPResponse.Status = maxBody < size ? .contentTooLarge : .ok
                for path in ["/collect", "/count"] {
                    let response = try await client.post(path, fields: coded("gzip"), body: bomb)
                    #expect(response.status == expected, "\(path) \(maxBody)")
                }
                let counted = try await client.post("/count", fields: coded("gzip"), body: bomb)
                #expect(maxBody < size || counted.text == "\(size) true")
                for (count, status) in [(100, HTTPResponse.Status.ok), (101, .contentTooLarge)] {
                    let body = try gzip(String(repeating: "x", count: count))
                    let response = try await client.post("/small", fields: coded("gzip"), body: body)
                    #expect(response.status == status)
                }
            }
        }
    }

    @Test("a body within the limit is decoded even if its compressed form is longer")
    func incompressible() async throws {
        var random = SystemRandomNumberGenerator()
        let noise = ByteBuffer(bytes: (0..<60_000).map { _ in UInt8.random(in: 0...255, using: &random) })
        let body = try gzip(noise)
        #expect(body.readableBytes > 60_000)
        try await withApp(maxBody: 60_000) { client in
            let response = try await client.post("/collect", fields: coded("gzip"), body: body)
            #expect(response.status == .ok && response.body == noise)
        }
    }

    @Test("a body that is malformed, ends early or has data after its end is rejected with 400")
    func malformed() async throws {
        let whole = try gzip(Self.text)
        var flipped = whole
        flipped.setInteger(UInt8(0xFF), at: flipped.writerIndex - 6)
        var surplus = try zlib("a")
        surplus.writeStaticString("x")
        var garbage = whole
        garbage.writeStaticString("garbage")
        let bodies = [
            ("gzip", ByteBuffer(string: Self.text)), ("gzip", flipped), ("gzip", garbage),
            ("gzip", whole.getSlice(at: 0, length: whole.readableBytes - 1) ?? whole),
            ("gzip", whole.getSlice(at: 0, length: 5) ?? whole), ("gzip", try rawDeflate("x")),
            ("deflate", surplus), ("deflate", whole), ("deflate", ByteBuffer(string: "x")),
        ]
        try await withApp { client in
            for (index, (coding, body)) in bodies.enumerated() {
                let response = try await client.post("/collect", fields: coded(coding), body: body)
                #expect(response.status == .badRequest, "\(index): \(response.text)")
            }
        }
    }

    @Test("RFC 9110 §12.5.3: an unsupported coding is rejected with 415, which names the supported ones")
    func unsupported() async throws {
        let requests = [
            ("/json", "application/json"), ("/form", "application/x-www-form-urlencoded"),
            ("/multipart", "multipart/form-data; boundary=B"),
        ]
        try await withApp { client in
            for (path, type) in requests {
                for coding in ["br", "gzip, gzip", "gzip,deflate"] {
                    let response = try await client.post(
                        path, fields: coded(coding, type), body: try gzip("[1]"))
                    #expect(response.status == .unsupportedMediaType)
                    #expect(response.fields[.acceptEncoding] == "gzip, deflate")
                }
            }
            // A handler that reads the bytes gets them unchanged, with their Content-Encoding.
            let raw = try await client.post("/collect", fields: coded("br"), body: ByteBuffer(string: "x"))
            #expect(raw.text == "x" && raw.fields[.contentType] == "br")
        }
        try await withApp(decompresses: false) { client in
            for (path, type) in requests {
                let response = try await client.post(path, fields: coded("gzip", type), body: try gzip("[1]"))
                #expect(response.status == .unsupportedMediaType)
                #expect(response.fields[.acceptEncoding] == "identity")
            }
        }
    }
}
