import Logging
import NIOCore
import Testing

@testable import HTTPKit

@Suite("How many connections may be open")
struct AdmissionTests {
    private func context(maxConnections: Int) -> ServerContext {
        var limits = HTTPLimits()
        limits.maxConnections = maxConnections
        return ServerContext(
            policy: ServerPolicy(limits: limits, logger: NotedLog().logger),
            responder: .function { _ in Response() })
    }

    @Test("Who is refused takes no place, however long it takes to say so")
    func refused() async {
        let context = context(maxConnections: 2)
        #expect(context.connectionOpened() && context.connectionOpened())
        for _ in 0..<5 { #expect(!context.connectionOpened()) }
        #expect(context.openConnections == 7)
        context.connectionClosed(wasAdmitted: true)
        #expect(context.connectionOpened())
        #expect(!context.connectionOpened())
        // The refused ones go, and leave no places either.
        for _ in 0..<6 { context.connectionClosed(wasAdmitted: false) }
        #expect(!context.connectionOpened())
        context.connectionClosed(wasAdmitted: false)
        context.connectionClosed(wasAdmitted: true)
        #expect(context.connectionOpened())
        for _ in 0..<2 { context.connectionClosed(wasAdmitted: true) }
        await context.allClosed()
        #expect(context.openConnections == 0)
    }

    @Test(
        "An address may have so many connections; trusted proxies, loopback and Unix sockets are not counted",
        arguments: [
            ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::2", true), ("2001:db8::1", "2001:db8:0:1::1", false),
            ("127.0.0.1", "127.0.0.1", false), ("::1", "::1", false),
            ("::ffff:127.0.0.1", "127.0.0.1", false),
            ("10.1.1.1", "10.1.1.1", false), ("/socket", "/socket", false),
        ])
    func perAddress(one: String, other: String, isRefused: Bool) async throws {
        var limits = HTTPLimits()
        limits.maxConnectionsPerAddress = 2
        let context = ServerContext(
            policy: ServerPolicy(
                limits: limits, logger: NotedLog().logger, isProxy: { $0.ipAddress == "10.1.1.1" }),
            responder: .function { _ in Response() })
        func address(_ text: String) throws -> SocketAddress {
            try text.hasPrefix("/")
                ? SocketAddress(unixDomainSocketPath: text) : SocketAddress(ipAddress: text, port: 1)
        }
        let first = try (0..<2).map { _ in context.connectionOpened(from: try address(one)) }
        #expect(first.allSatisfy { $0.refusal == nil })
        let third = context.connectionOpened(from: try address(other))
        #expect((third.refusal == .tooManyOfAddress) == isRefused)
        context.connectionClosed(third)
        context.connectionClosed(first[0])
        let fourth = context.connectionOpened(from: try address(other))
        #expect(fourth.refusal == nil)
        context.connectionClosed(first[1])
        context.connectionClosed(fourth)
        await context.allClosed()
        #expect(context.openConnections == 0)
    }
}
