import Compression
import HTTPKit
import HTTPTypes
import NIOCore
import OnePortTesting
import Testing

@testable import OnePort

@Suite("RFC 9110 §8.4, §12.5.3: compressed responses")
struct ResponseCompressionTests {
    private static let page = String(repeating: "<p>one port for the page and its socket</p>\n", count: 100)
    private static let gzip: HTTPFields = [.acceptEncoding: "gzip, deflate, br"]

    private func withApp(
        _ options: ResponseCompressionOptions = ResponseCompressionOptions(), _ mode: TestMode = .inMemory,
        declare: (App) -> Void = { _ in }, test: (TestClient) async throws -> Void
    ) async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.compress(options))
        app.get("/page") { _ in .html(Self.page) }
        app.get("/tagged") { _ in
            Response(
                fields: [.contentType: "Text/HTML", .eTag: "\"1\"", .acceptRanges: "bytes", .vary: "Cookie"],
                body: .string(Self.page))
        }
        app.get("/size/{size}") { request in
            .text(String(repeating: "x", count: try request.parameters.require("size", as: Int.self)))
        }
        declare(app)
        try await app.test(mode, test)
    }

    @Test("a client that accepts gzip gets it, with Content-Length and Vary")
    func compresses() async throws {
        try await withApp { client in
            let response = try await client.get("/page", fields: Self.gzip)
            #expect(try gunzip(response.body) == Self.page)
            #expect(
                response.fields[.contentEncoding] == "gzip" && response.fields[.vary] == "Accept-Encoding")
            #expect(response.fields[.contentLength] == "\(response.body.readableBytes)")
            #expect(response.body.readableBytes < 300)
            #expect(response.fields[.contentType] == "text/html; charset=utf-8")
            // The shared compressor is reset.
            #expect(try await client.get("/page", fields: Self.gzip).body == response.body)
        }
    }

    @Test(
        "RFC 9110 §12.5.3: a client that does not accept gzip gets none, but Vary",
        arguments: [nil, "", "br", "gzip;q=0", "identity, gzip;q=0.5", "*;q=0", "identity;q=0"])
    func negotiates(accepted: String?) async throws {
        try await withApp { client in
            var fields: HTTPFields = [:]
            fields[.acceptEncoding] = accepted
            let response = try await client.get("/page", fields: fields)
            #expect(response.text == Self.page && response.fields[.contentEncoding] == nil)
            #expect(response.fields[.vary] == "Accept-Encoding")
        }
    }

    @Test(
        "RFC 9110 §12.5.3: gzip is accepted by its old name, by a weight and by *",
        arguments: ["x-gzip", "gzip;q=0.1", "*"])
    func accepts(accepted: String) async throws {
        try await withApp { client in
            let response = try await client.get("/page", fields: [.acceptEncoding: accepted])
            #expect(try gunzip(response.body) == Self.page)
        }
    }

    @Test("RFC 9110 §8.8.3.3: a strong tag becomes weak, ranges are not offered, and Vary is extended")
    func entityTag() async throws {
        try await withApp { client in
            let response = try await client.get("/tagged", fields: Self.gzip)
            #expect(response.fields[.eTag] == "W/\"1\"" && response.fields[.acceptRanges] == nil)
            #expect(response.fields[.vary] == "Cookie, Accept-Encoding")
            let plain = try await client.get("/tagged")
            #expect(plain.fields[.eTag] == "\"1\"" && plain.fields[.acceptRanges] == "bytes")
        }
    }

    @Test("content that is too small, too large, or would not shrink is not compressed")
    func sizes() async throws {
        let options = ResponseCompressionOptions { $0.maxSize = 200_000 }
        try await withApp(options) { app in
            app.get("/noise") { _ in
                var random = SystemRandomNumberGenerator()
                let bytes = (0..<4_000).map { _ in UInt8.random(in: 0...255, using: &random) }
                return Response(
                    fields: [.contentType: "text/x-noise"], body: .bytes(ByteBuffer(bytes: bytes)))
            }
        } test: { client in
            // 32,768 bytes are compressed on the event loop, 32,769 are not.
            let cases = [
                (1_023, false), (1_024, true), (32_768, true), (32_769, true), (200_000, true),
                (200_001, false),
            ]
            for (size, isCompressed) in cases {
                let response = try await client.get("/size/\(size)", fields: Self.gzip)
                #expect((response.fields[.contentEncoding] == "gzip") == isCompressed, "\(size)")
                #expect(response.fields[.vary] == "Accept-Encoding")
                let text = isCompressed ? try gunzip(response.body) : response.text
                #expect(text == String(repeating: "x", count: size))
            }
            let noise = try await client.get("/noise", fields: Self.gzip)
            #expect(noise.fields[.contentEncoding] == nil && noise.body.readableBytes == 4_000)
        }
    }

    @Test("patterns of media types")
    func types() {
        let types = MediaTypeSet(ResponseCompressionOptions.defaultTypes)
        for type in [
            "text/html", "TEXT/plain; charset=utf-8", "application/json", "image/svg+xml", "a/b+c+json ;x=1",
        ] {
            #expect(types.contains(type), "\(type)")
        }
        for type in [
            "image/png", "application/octet-stream", "application/zip", "text", "textual/x", "a/json", "",
        ] {
            #expect(!types.contains(type), "\(type)")
        }
        let own = MediaTypeSet(["Application/X-Own", "audio/*"])
        #expect(own.contains("application/x-own") && own.contains("audio/wav") && !own.contains("text/html"))
    }

    @Test(
        "what is encoded, partial, digested, not to be transformed, of another type or a redirect goes as it is"
    )
    func leavesAlone() async throws {
        let noTransform: HTTPFields = [.contentType: "text/plain", .cacheControl: "max-age=1, No-Transform"]
        let digest = try #require(HTTPField.Name("Repr-Digest"))
        let cases: [(HTTPResponse.Status, HTTPFields, String?)] = [
            (.ok, [.contentType: "text/plain", .contentEncoding: "br"], nil),
            (.ok, [.contentType: "image/png"], nil), (.ok, [:], nil), (.ok, noTransform, nil),
            (.ok, [.contentType: "text/plain", digest: "sha-256=:x:"], nil),
            (.partialContent, [.contentType: "text/plain"], "Accept-Encoding"),
        ]
        try await withApp { app in
            for (index, (status, fields, _)) in cases.enumerated() {
                app.get("/\(index)") { _ in Response(status: status, fields: fields, body: .string(Self.page))
                }
            }
            app.get("/empty") { _ in Response(status: .noContent, fields: [.contentType: "text/plain"]) }
        } test: { client in
            for (index, (status, fields, vary)) in cases.enumerated() {
                let response = try await client.get("/\(index)", fields: Self.gzip)
                #expect(response.status == status && response.text == Self.page, "\(index)")
                #expect(response.fields[.contentEncoding] == fields[.contentEncoding])
                #expect(response.fields[.vary] == vary, "\(index)")
            }
            let empty = try await client.get("/empty", fields: Self.gzip)
            #expect(empty.fields[.contentEncoding] == nil && empty.fields[.contentLength] == nil)
        }
    }

    @Test("RFC 9110 §9.3.2: HEAD has the headers of GET, except the length")
    func head() async throws {
        try await withApp { client in
            let response = try await client.request(.head, "/tagged", fields: Self.gzip)
            #expect(response.fields[.contentEncoding] == "gzip" && response.fields[.eTag] == "W/\"1\"")
            #expect(response.fields[.contentLength] == nil)
            let plain = try await client.request(.head, "/tagged")
            #expect(plain.fields[.contentLength] == "\(Self.page.utf8.count)")
        }
    }

    @Test("RFC 9110 §15.4.5: files in memory are compressed, and their 304 has the client's tag")
    func files() async throws {
        try await withApp {
            $0.files("Sources", at: "/s")
        } test: { client in
            let path = "/s/OnePort/App.swift"
            let plain = try await client.get(path)
            let response = try await client.get(path, fields: Self.gzip)
            // Swift files have no media type.
            #expect(plain.fields[.contentType] == "application/octet-stream" && response.body == plain.body)
        }
        try await withApp {
            $0.files("Public", at: "/p")
        } test: { client in
            let plain = try await client.get("/p/chat.css")
            let tag = try #require(plain.fields[.eTag])
            let response = try await client.get("/p/chat.css", fields: Self.gzip)
            #expect(try gunzip(response.body) == plain.text && response.fields[.eTag] == "W/" + tag)
            for known in ["W/" + tag, tag] {
                var fields = Self.gzip
                fields[.ifNoneMatch] = "\"x\", " + known
                let unchanged = try await client.get("/p/chat.css", fields: fields)
                #expect(unchanged.status == .notModified && unchanged.fields[.eTag] == known)
                #expect(unchanged.fields[.contentEncoding] == nil)
            }
            var fields = Self.gzip
            fields[.range] = "bytes=0-99"
            let part = try await client.get("/p/chat.css", fields: fields)
            #expect(part.status == .partialContent && part.body.readableBytes == 100)
        }
    }

    @Test("streams are not compressed by default, but have Vary")
    func streamsAlone() async throws {
        try await withApp { app in
            app.get("/stream") { _ in .stream(contentType: "text/plain") { try await $0.write(Self.page) } }
        } test: { client in
            let response = try await client.get("/stream", fields: Self.gzip)
            #expect(response.text == Self.page && response.fields[.contentEncoding] == nil)
            #expect(response.fields[.vary] == "Accept-Encoding")
        }
    }
}

private struct NoGzip: Error {}

/// The text of a gzip member (RFC 1952 §2.3). Checks its length against the trailer.
func gunzip(_ buffer: ByteBuffer) throws -> String {
    var buffer = buffer
    guard buffer.readableBytes >= 18, buffer.readBytes(length: 3) == [0x1F, 0x8B, 8] else { throw NoGzip() }
    buffer.moveReaderIndex(forwardBy: 7)
    guard let blocks = buffer.readSlice(length: buffer.readableBytes - 8),
        let (_, length) = buffer.readMultipleIntegers(endianness: .little, as: (UInt32, UInt32).self)
    else { throw NoGzip() }
    var text = ByteBuffer()
    _ = try Inflater().inflate(blocks.readableBytesSpan, into: &text, room: 1 << 24)
    guard text.readableBytes == Int(length) else { throw NoGzip() }
    return String(buffer: text)
}
