import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Threads for the clients, so that they do not take those that handlers are moved off to.
private let clientThreads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 16)
    pool.start()
    return pool
}()

/// One end of a pair of sockets whose other end a server serves: the real transport without a port.
private final class Peer: Sendable {
    let descriptor: CInt
    let server: HTTPServer

    init(limits: HTTPLimits = HTTPLimits(), _ responder: @escaping Handler) async throws {
        var ends: [CInt] = [-1, -1]
        #if canImport(Glibc)
            let kind = CInt(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw HTTPFailure(.internalServerError, "no socket pair")
        }
        descriptor = ends[0]
        var configuration = HTTPServer.Configuration()
        configuration.limits = limits
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        server = HTTPServer(configuration: configuration, logger: logger, responder: responder)
        try await server.adopt(socket: ends[1]).get()
    }

    deinit { close(descriptor) }

    func send(_ text: String) async throws {
        try await clientThreads.runIfActive { [descriptor] in
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { throw HTTPFailure(.internalServerError, "errno \(errno)") }
                rest = rest.dropFirst(count)
            }
        }
    }

    func sendEnd() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// All that comes until the server closes its side.
    func receiveAll() async throws -> [UInt8] {
        try await clientThreads.runIfActive { [descriptor] in
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 16 << 10)
            while true {
                let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { return all }
                all += buffer[..<count]
            }
        }
    }
}

@Suite("RFC 9112: a server on real sockets", .timeLimit(.minutes(5)))
struct HTTPServerTests {
    private static let close = "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    @Test("RFC 9112 §9.3.2: pipelined requests, handlers that hop to other threads and back")
    func pipeline() async throws {
        let peer = try await Peer { request in
            try await offload {}
            await Task.detached {}.value
            return .text(request.path)
        }
        try await peer.send(
            "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n\(Self.close)")
        let text = String(decoding: try await peer.receiveAll(), as: UTF8.self)
        #expect(statuses(text) == [200, 200, 200])
        #expect(text.hasSuffix("/last"))
    }

    @Test(
        "RFC 9112 §9.6: a client that closed its side gets a large answer to its end",
        arguments: [true, false])
    func halfClose(isStreamed: Bool) async throws {
        let count = 6_000_000
        let peer = try await Peer { _ in
            guard isStreamed else { return Response(body: .bytes(ByteBuffer(repeating: 0x78, count: count))) }
            return .stream(length: count) { writer in
                for _ in 0..<60 { try await writer.write(ByteBuffer(repeating: 0x78, count: count / 60)) }
            }
        }
        try await peer.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        peer.sendEnd()
        let all = try await peer.receiveAll()
        #expect(all.count > count)
        #expect(all.suffix(count).allSatisfy { $0 == 0x78 })
    }

    @Test("RFC 9112 §9.6: an answer that closes arrives whole though its client goes on sending")
    func closeWhileClientSends() async throws {
        let count = 2_000_000
        let peer = try await Peer { _ in Response(body: .bytes(ByteBuffer(repeating: 0x78, count: count))) }
        let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"
        try await peer.send(post + String(repeating: "y", count: 100_000))
        let all = try await peer.receiveAll()
        #expect(String(decoding: all.prefix(300), as: UTF8.self).has("\r\nConnection: close\r\n"))
        #expect(all.suffix(count).allSatisfy { $0 == 0x78 } && all.count > count)
    }

    @Test("Content and answer stream through one handler, each at the other's pace")
    func echo() async throws {
        let peer = try await Peer { request in
            var request = request
            request.bodyLimit = .max
            let body = request.body
            return .stream { writer in for try await chunk in body { try await writer.write(chunk) } }
        }
        let count = 5_000_000
        async let all = peer.receiveAll()
        try await peer.send(
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: \(count)\r\n\r\n")
        for _ in 0..<50 { try await peer.send(String(repeating: "z", count: count / 50)) }
        #expect(try await all.count { $0 == UInt8(ascii: "z") } == count)
    }

    @Test("The server goes when it is told to, and counts what it did")
    func shutdown() async throws {
        let peer = try await Peer { _ in .text("x") }
        try await peer.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        async let all = peer.receiveAll()
        while await peer.server.statistics().requests == 0 { await Task.yield() }
        #expect(peer.server.context.openConnections == 1)
        await peer.server.shutdown(within: .seconds(5))
        #expect(statuses(String(decoding: try await all, as: UTF8.self)) == [200])
        #expect(await peer.server.statistics().connections == 0)
    }
}
