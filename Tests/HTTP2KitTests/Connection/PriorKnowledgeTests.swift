import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import HTTP2Kit
@testable import HTTPKit

/// A server on a port, whose connections begin as HTTP/1.1 or with the preface of HTTP/2 (RFC 9113 §3.3).
@Suite struct PriorKnowledgeTests {
    /// Sends `parts`, each as a write of its own, and returns what came back until `isEnough`, or the end.
    private func exchange(
        _ parts: [[UInt8]], with address: SocketAddress, on group: any EventLoopGroup,
        until isEnough: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws -> [UInt8] {
        let channel = try await ClientBootstrap(group: group).connectTimeout(.seconds(60)).connect(
            to: address
        ) {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            for part in parts { try await outbound.write(ByteBuffer(bytes: part)) }
            var received: [UInt8] = []
            for try await data in inbound {
                received += Array(data.readableBytesView)
                if isEnough(received) { break }
            }
            return received
        }
    }

    private static let opening = Array(FrameReader.preface.utf8) + hex("000000 04 00 00000000")
    private static func withServer(
        priorKnowledge: Bool, _ body: (SocketAddress, any EventLoopGroup) async throws -> Void
    ) async throws {
        var configuration = HTTPServer.Configuration()
        configuration.port = 0
        configuration.addHTTP2(acceptsPriorKnowledge: priorKnowledge)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = HTTPServer(
            configuration: configuration, group: group,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { request in .text(request.version) }
        let address = try await server.start()
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(address, group))
        } catch {
            result = .failure(error)
        }
        await server.shutdown(within: .zero)
        try await group.shutdownGracefully()
        try result.get()
    }

    private static func headers(_ path: String) -> [UInt8] {
        let block = HTTP2Wire.block([
            (":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "example.com"),
        ])
        return [0, 0, UInt8(block.count)] + hex("01 05 00000001") + block
    }

    @Test(
        "with prior knowledge the port speaks both; the preface may come in pieces", .timeLimit(.minutes(1)))
    func both() async throws {
        try await Self.withServer(priorKnowledge: true) { address, group in
            let whole = Self.opening + Self.headers("/")
            let pieces = [[whole], whole.map { [$0] }]
            for parts in pieces {
                let received = try await exchange(parts, with: address, on: group) {
                    String(decoding: $0, as: UTF8.self).hasSuffix("HTTP/2")
                }
                #expect(String(decoding: received, as: UTF8.self).hasSuffix("HTTP/2"))
            }
            let old = try await exchange(
                [Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)], with: address, on: group
            ) { String(decoding: $0, as: UTF8.self).hasSuffix("HTTP/1.1") && $0.count > 20 }
            #expect(String(decoding: old, as: UTF8.self).hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test("without it, the preface is a request of an unknown version", .timeLimit(.minutes(1)))
    func off() async throws {
        try await Self.withServer(priorKnowledge: false) { address, group in
            let received = try await exchange([Self.opening], with: address, on: group) { $0.count > 30 }
            #expect(String(decoding: received, as: UTF8.self).hasPrefix("HTTP/1.1 505"))
        }
    }

    @Test("a second request of a connection of HTTP/1.1 is no preface", .timeLimit(.minutes(1)))
    func later() async throws {
        try await Self.withServer(priorKnowledge: true) { address, group in
            let first = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            let received = try await exchange([first + Self.opening], with: address, on: group) {
                String(decoding: $0, as: UTF8.self).contains("HTTP/1.1 505")
            }
            #expect(String(decoding: received, as: UTF8.self).contains("HTTP/1.1 505"))
        }
    }
}
