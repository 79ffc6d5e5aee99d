import Compression
import HTTPKit
import HTTPTypes
import NIOCore
import OnePortTesting
import Testing

@testable import OnePort

@Suite("RFC 9110 §8.4, §12.5.3: compressed answers")
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

    @Test("a client that takes gzip gets it, with its length and the field that it depends on")
    func compresses() async throws {
        try await withApp { client in
            let answer = try await client.get("/page", fields: Self.gzip)
            #expect(try gunzip(answer.body) == Self.page)
            #expect(answer.fields[.contentEncoding] == "gzip" && answer.fields[.vary] == "Accept-Encoding")
            #expect(answer.fields[.contentLength] == "\(answer.body.readableBytes)")
            #expect(answer.body.readableBytes < 300)
            #expect(answer.fields[.contentType] == "text/html; charset=utf-8")
            // The compressor that answers share begins anew.
            #expect(try await client.get("/page", fields: Self.gzip).body == answer.body)
        }
    }

    @Test(
        "RFC 9110 §12.5.3: who does not take gzip gets none, but the field that it would depend on",
        arguments: [nil, "", "br", "gzip;q=0", "identity, gzip;q=0.5", "*;q=0", "identity;q=0"])
    func negotiates(accepted: String?) async throws {
        try await withApp { client in
            var fields: HTTPFields = [:]
            fields[.acceptEncoding] = accepted
            let answer = try await client.get("/page", fields: fields)
            #expect(answer.text == Self.page && answer.fields[.contentEncoding] == nil)
            #expect(answer.fields[.vary] == "Accept-Encoding")
        }
    }

    @Test(
        "RFC 9110 §12.5.3: gzip by its old name, by a weight and by *",
        arguments: ["x-gzip", "gzip;q=0.1", "*"])
    func accepts(accepted: String) async throws {
        try await withApp { client in
            let answer = try await client.get("/page", fields: [.acceptEncoding: accepted])
            #expect(try gunzip(answer.body) == Self.page)
        }
    }

    @Test("RFC 9110 §8.8.3.3: a strong tag becomes weak, ranges are offered no more, Vary keeps what it says")
    func entityTag() async throws {
        try await withApp { client in
            let answer = try await client.get("/tagged", fields: Self.gzip)
            #expect(answer.fields[.eTag] == "W/\"1\"" && answer.fields[.acceptRanges] == nil)
            #expect(answer.fields[.vary] == "Cookie, Accept-Encoding")
            let plain = try await client.get("/tagged")
            #expect(plain.fields[.eTag] == "\"1\"" && plain.fields[.acceptRanges] == "bytes")
        }
    }

    @Test("content goes as it is below a size, above one, and where it does not shrink")
    func sizes() async throws {
        let options = ResponseCompressionOptions { $0.maxSize = 200_000 }
        try await withApp(options) { app in
            app.get("/noise") { _ in
                var random = SystemRandomNumberGenerator()
                let octets = (0..<4_000).map { _ in UInt8.random(in: 0...255, using: &random) }
                return Response(
                    fields: [.contentType: "text/x-noise"], body: .bytes(ByteBuffer(bytes: octets)))
            }
        } test: { client in
            // 32,768 is the last that is compressed on the loop, 32,769 the first that is not.
            let cases = [
                (1_023, false), (1_024, true), (32_768, true), (32_769, true), (200_000, true),
                (200_001, false),
            ]
            for (size, isCompressed) in cases {
                let answer = try await client.get("/size/\(size)", fields: Self.gzip)
                #expect((answer.fields[.contentEncoding] == "gzip") == isCompressed, "\(size)")
                #expect(answer.fields[.vary] == "Accept-Encoding")
                let text = isCompressed ? try gunzip(answer.body) : answer.text
                #expect(text == String(repeating: "x", count: size))
            }
            let noise = try await client.get("/noise", fields: Self.gzip)
            #expect(noise.fields[.contentEncoding] == nil && noise.body.readableBytes == 4_000)
        }
    }

    @Test("media types by their patterns")
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
                let answer = try await client.get("/\(index)", fields: Self.gzip)
                #expect(answer.status == status && answer.text == Self.page, "\(index)")
                #expect(answer.fields[.contentEncoding] == fields[.contentEncoding])
                #expect(answer.fields[.vary] == vary, "\(index)")
            }
            let empty = try await client.get("/empty", fields: Self.gzip)
            #expect(empty.fields[.contentEncoding] == nil && empty.fields[.contentLength] == nil)
        }
    }

    @Test("RFC 9110 §9.3.2: HEAD has the fields of GET, without the length that only the work would tell")
    func head() async throws {
        try await withApp { client in
            let answer = try await client.request(.head, "/tagged", fields: Self.gzip)
            #expect(answer.fields[.contentEncoding] == "gzip" && answer.fields[.eTag] == "W/\"1\"")
            #expect(answer.fields[.contentLength] == nil)
            let plain = try await client.request(.head, "/tagged")
            #expect(plain.fields[.contentLength] == "\(Self.page.utf8.count)")
        }
    }

    @Test("RFC 9110 §15.4.5: files in memory are compressed, and their 304 names the tag that the client has")
    func files() async throws {
        try await withApp {
            $0.files("Sources", at: "/s")
        } test: { client in
            let path = "/s/OnePort/App.swift"
            let plain = try await client.get(path)
            let answer = try await client.get(path, fields: Self.gzip)
            // Swift has no media type of its own.
            #expect(plain.fields[.contentType] == "application/octet-stream" && answer.body == plain.body)
        }
        try await withApp {
            $0.files("Public", at: "/p")
        } test: { client in
            let plain = try await client.get("/p/chat.css")
            let tag = try #require(plain.fields[.eTag])
            let answer = try await client.get("/p/chat.css", fields: Self.gzip)
            #expect(try gunzip(answer.body) == plain.text && answer.fields[.eTag] == "W/" + tag)
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

    @Test("streams go as they are unless asked for, but say that it depends")
    func streamsAlone() async throws {
        try await withApp { app in
            app.get("/stream") { _ in .stream(contentType: "text/plain") { try await $0.write(Self.page) } }
        } test: { client in
            let answer = try await client.get("/stream", fields: Self.gzip)
            #expect(answer.text == Self.page && answer.fields[.contentEncoding] == nil)
            #expect(answer.fields[.vary] == "Accept-Encoding")
        }
    }
}

private struct NoGzip: Error {}

/// The text of a whole gzip member (RFC 1952 §2.3); its length is held against its trailer.
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
