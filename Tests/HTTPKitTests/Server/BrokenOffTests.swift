import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §8: content that only the end of the connection ends", .timeLimit(.minutes(2)))
struct BrokenOffTests {
    private struct Failure: Error {}

    private static let old = "GET / HTTP/1.0\r\n\r\n"

    @Test("RFC 9112 §8: when its writer fails, the connection is reset: the part is not taken for the whole")
    func failure() async throws {
        let isRead = AsyncStream.makeStream(of: Void.self)
        try await LiveServer.run { _ in
            .stream { writer in
                try await writer.write("a part")
                for await _ in isRead.stream { break }
                throw Failure()
            }
        } test: { server in
            let client = try await LiveClient(to: server)
            try await client.send(Self.old)
            var octets: [UInt8] = []
            while !String(decoding: octets, as: UTF8.self).has("a part") {
                octets += try await client.receive()
            }
            isRead.continuation.yield()
            #expect(try await client.receiveEnd() == .reset)
        }
    }

    @Test(
        "RFC 9112 §8: so it is when a client that does not read is given up, its answer written to the end or not",
        arguments: [false, true])
    func stalled(isWritten: Bool) async throws {
        // More than kernels hold.
        let size = 64 << 20
        try await LiveServer.run {
            $0.limits.writeTimeout = .zero
            if isWritten { $0.limits.writeBufferSize = 2 * size }
        } _: { _ in
            .stream { try await $0.write(ByteBuffer(repeating: 0x78, count: size)) }
        } test: { server in
            let client = try await LiveClient(to: server, receiveBuffer: 32 << 10)
            try await client.send(Self.old)
            try await waitUntil { await server.http.statistics().requests == 1 }
            try await waitUntil { await server.connections() == 0 }
            #expect(try await client.receiveEnd() == .reset)
        }
    }

    @Test("RFC 9112 §8: whole content, and content that can be told from a part, ends in the ordinary way")
    func whole() async throws {
        try await LiveServer.run { request in
            .stream { writer in
                try await writer.write("all of it")
                if request.path == "/broken" { throw Failure() }
            }
        } test: { server in
            for request in [Self.old, "GET /broken HTTP/1.1\r\nHost: h\r\n\r\n"] {
                let client = try await LiveClient(to: server)
                try await client.send(request)
                #expect(try await client.receiveEnd() == .end)
            }
        }
    }
}
