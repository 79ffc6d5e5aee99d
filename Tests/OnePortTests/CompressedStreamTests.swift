import Compression
import HTTPKit
import HTTPTypes
import NIOCore
import NIOPosix
import OnePortTesting
import Synchronization
import Testing

@testable import OnePort

@Suite("Compressed streams")
struct CompressedStreamTests {
    private struct Oops: Error {}

    /// An application with a compressed stream at `/`.
    private func withStream(
        _ mode: TestMode = .inMemory, length: Int? = nil,
        _ write: @escaping @Sendable (ResponseWriter) async throws -> Void,
        test: (TestClient) async throws -> Void
    ) async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.compress(ResponseCompressionOptions { $0.compressesStreams = true }))
        app.get("/") { _ in .stream(contentType: "text/event-stream", length: length, write) }
        try await app.test(mode, test)
    }

    private func get(_ client: TestClient) async throws -> TestResponse {
        try await client.get("/", fields: [.acceptEncoding: "gzip"])
    }

    @Test("all pieces arrive: small, empty and large ones, from the event loop and from other threads")
    func pieces() async throws {
        let large = (0..<40_000).map { "\($0) " }.joined()
        try await withStream { writer in
            try await writer.write("a")
            try await writer.write("")
            try await Task.detached { try await writer.write(large) }.value
            try await writer.write(ByteBuffer(string: "z"))
            writer.setTrailers([.via: "x"])
        } test: { client in
            let response = try await get(client)
            #expect(response.fields[.contentEncoding] == "gzip" && response.fields[.contentLength] == nil)
            #expect(try gunzip(response.body) == "a" + large + "z")
            #expect(response.trailers?[.via] == "x")
            let plain = try await client.get("/")
            #expect(plain.text == "a" + large + "z" && plain.fields[.contentEncoding] == nil)
            let head = try await client.request(.head, "/", fields: [.acceptEncoding: "gzip"])
            #expect(head.fields[.contentEncoding] == "gzip" && head.fields[.contentLength] == nil)
        }
    }

    @Test("an empty stream is an empty body")
    func nothing() async throws {
        try await withStream { _ in
        } test: { client in
            let response = try await get(client)
            #expect(try gunzip(response.body).isEmpty)
        }
    }

    @Test("an event can be decoded before the next one is sent", .timeLimit(.minutes(5)))
    func notHeldBack() async throws {
        let gate = AsyncStream.makeStream(of: Void.self)
        try await withStream(.live) { writer in
            try await writer.write("data: one\n\n")
            for await _ in gate.stream { break }
            try await writer.write("data: two\n\n")
        } test: { client in
            let reader = Reader()
            let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(reader)
                    }
                }
            let channel = try await bootstrap.connect(to: try #require(client.address)).get()
            // In HTTP/1.0, the body is not chunked.
            let request = "GET / HTTP/1.0\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"
            try await channel.writeAndFlush(ByteBuffer(string: request)).get()
            var response = ByteBuffer()
            var isOpen = false
            for await piece in reader.pieces {
                response.writeImmutableBuffer(piece)
                guard !isOpen, try beginning(of: content(response)) == "data: one\n\n" else { continue }
                isOpen = true
                gate.continuation.yield()
            }
            #expect(try gunzip(content(response)) == "data: one\n\ndata: two\n\n")
            try? await channel.close()
        }
    }

    @Test("an event stream that the drain ends is a whole gzip member, comments and all")
    func drain() async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.compress(ResponseCompressionOptions { $0.compressesStreams = true }))
        app.get("/") { request in
            .events(EventStreamOptions { $0.heartbeat = .zero }) { events in
                try await events.send(ServerSentEvent(data: "one"))
                // Two ticks of the loop behind the event there is a comment at least.
                let loop = request.connection.loop
                loop.eventLoop.scheduleTask(in: .milliseconds(1200)) {
                    loop.drain(deadline: .now.advanced(by: .seconds(20)))
                }
                try? await Task.sleep(for: .seconds(3600))
                // What swallows its cancellation ends as if it were done.
            }
        }
        try await app.test(.inMemory) { client in
            let text = try gunzip(try await get(client).body)
            #expect(text.hasPrefix("data: one\n\n:\n\n"))
            #expect(text.hasSuffix("\n\n"))
        }
    }

    /// The bytes received after the head.
    private func content(_ response: ByteBuffer) -> ByteBuffer {
        let bytes = Array(response.readableBytesView)
        let end = bytes.indices.first { bytes[$0...].starts(with: Array("\r\n\r\n".utf8)) }
        return ByteBuffer(bytes: end.map { bytes[($0 + 4)...] } ?? [])
    }

    /// The decodable part of a gzip member that has not ended.
    private func beginning(of content: ByteBuffer) throws -> String {
        guard let blocks = content.getSlice(at: 10, length: max(0, content.readableBytes - 10)) else {
            return ""
        }
        var text = ByteBuffer()
        _ = try Inflater().inflate(blocks.readableBytesSpan, into: &text, room: 1 << 20)
        return String(buffer: text)
    }

    @Test(
        "the compressor's memory is freed however a stream ends, even if something keeps the writer",
        arguments: [false, true])
    func released(fails: Bool) async throws {
        let kept = Kept()
        try await withStream { writer in
            kept.writer.withLock { $0 = writer }
            try await writer.write("x")
            if fails { throw Oops() }
        } test: { client in
            if fails {
                await #expect(throws: TestClientError.self) { _ = try await get(client) }
            } else {
                _ = try await get(client)
            }
            let writer = try #require(kept.writer.withLock { $0 })
            await #expect(throws: CancellationError.self) { try await writer.write("x") }
            let stream = try #require(writer.encoder as? GzipStream)
            #expect(stream.deflater == nil)
        }
    }

    @Test("a failure before the first byte is an ordinary error")
    func early() async throws {
        try await withStream { _ in
            throw HTTPFailure(.notFound)
        } test: { client in
            let response = try await get(client)
            #expect(response.status == .notFound && response.fields[.contentEncoding] == nil)
        }
    }

    @Test(
        "RFC 9110 §8.6: an announced length is checked before compression",
        arguments: [1_999, 2_000, 2_001])
    func announced(count: Int) async throws {
        try await withStream(length: 2_000) { writer in
            try await writer.write(String(repeating: "x", count: 10))
            try await writer.write(String(repeating: "x", count: count - 10))
        } test: { client in
            guard count == 2_000 else {
                await #expect(throws: TestClientError.self) { _ = try await get(client) }
                return
            }
            let response = try await get(client)
            #expect(try gunzip(response.body).utf8.count == 2_000)
        }
    }
}

/// Keeps a writer beyond the end of its stream.
private final class Kept: Sendable {
    let writer = Mutex<ResponseWriter?>(nil)
}

/// Passes on the bytes that it receives.
private final class Reader: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let pieces: AsyncStream<ByteBuffer>
    private let continuation: AsyncStream<ByteBuffer>.Continuation

    init() { (pieces, continuation) = AsyncStream.makeStream(of: ByteBuffer.self) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        continuation.yield(unwrapInboundIn(data))
    }
    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
}
