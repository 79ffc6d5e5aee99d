import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

/// Connections of a server that encrypts, without a socket or a clock but the test's.
private final class SecuredWire {
    let channel: EmbeddedChannel
    let line: HandshakeLineHandler?
    let loop: LoopContext

    init(
        of server: HTTPServer, on eventLoop: EmbeddedEventLoop,
        listener: HTTPListener = HTTPListener(.hostname("h", port: 0), usesTLS: true)
    ) throws {
        channel = EmbeddedChannel(loop: eventLoop)
        loop = try server.loop(of: channel)
        let address = try SocketAddress(ipAddress: "10.1.1.1", port: 4711)
        channel.remoteAddress = address
        try server.accept(channel, listener)
        line = try? channel.pipeline.syncOperations.handler(type: HandshakeLineHandler.self)
        try channel.connect(to: address).wait()
    }

    deinit { if channel.isActive { channel.close(promise: nil) } }

    var isClosed: Bool { !channel.isActive }

    func send(_ text: String) {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(ByteBuffer(string: text))
        channel.pipeline.fireChannelReadComplete()
        channel.embeddedEventLoop.run()
    }

    func received() -> String {
        var text = ""
        while let data = try? channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = data { text += String(buffer: buffer) }
        }
        return text
    }
}

/// A protocol that says what it has read.
private struct OtherProtocol: ConnectionProtocol {
    var name: String { "h2" }
    func isSpoken(in input: ByteBuffer) -> Bool { false }
    func makeHandler(for connection: NewConnection) -> any ChannelHandler & Sendable {
        Speaker(peer: connection.session?.peer as? String ?? "")
    }

    final class Speaker: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = IOData
        let peer: String
        init(peer: String) { self.peer = peer }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let text = "h2 \(peer): \(String(buffer: unwrapInboundIn(data)))"
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer(string: text))), promise: nil)
        }
    }
}

@Suite("connections that begin with a handshake")
struct ConnectionSecurityTests {
    private let eventLoop = EmbeddedEventLoop()

    private func server(
        limits: HTTPLimits = HTTPLimits(), protocols: [any ConnectionProtocol] = [],
        _ change: (inout HTTPServer.Configuration) -> Void = { _ in }
    ) -> HTTPServer {
        var configuration = HTTPServer.Configuration()
        configuration.security = FakeSecurity()
        change(&configuration)
        let context = ServerContext(
            policy: ServerPolicy(
                limits: limits, logger: NotedLog().logger, isProxy: { $0.ipAddress?.hasPrefix("10.") == true }
            ),
            protocols: protocols,
            responder: .function { request in
                let session = request.storage.connection.session
                return .text(
                    [
                        request.scheme, session?.applicationProtocol ?? "none",
                        session?.peer as? String ?? "nobody",
                        request.remoteAddress?.ipAddress ?? "nowhere",
                    ].joined(separator: " "))
            })
        return HTTPServer(configuration: configuration, group: eventLoop, context: context)
    }

    private let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test("the request is served behind the handshake, in whatever pieces both arrive")
    func pieces() throws {
        let bytes = Array("secure http/1.1\n\(request)".utf8)
        for cut in bytes.indices {
            let wire = try SecuredWire(of: server(), on: eventLoop)
            wire.send(String(decoding: bytes[..<cut], as: UTF8.self))
            #expect(wire.received().isEmpty)
            wire.send(String(decoding: bytes[cut...], as: UTF8.self))
            #expect(wire.received().hasSuffix("https http/1.1 a peer 10.1.1.1"))
            wire.send(request)
            #expect(wire.received().hasSuffix("https http/1.1 a peer 10.1.1.1"))
            #expect(!wire.isClosed)
        }
    }

    @Test("a protocol that is not offered is not chosen, and the offer is the server's")
    func protocols() throws {
        let plain = try SecuredWire(of: server(), on: eventLoop)
        plain.send("secure h2\n\(request)")
        #expect(plain.received().hasSuffix("https none a peer 10.1.1.1"))
        let wire = try SecuredWire(of: server(protocols: [OtherProtocol()]), on: eventLoop)
        wire.send("secure h2\nabc")
        #expect(wire.received() == "h2 a peer: abc")
        let old = try SecuredWire(of: server(protocols: [OtherProtocol()]), on: eventLoop)
        old.send("secure http/1.1\n\(request)")
        #expect(old.received().hasSuffix("https http/1.1 a peer 10.1.1.1"))
    }

    @Test("a client that does not encrypt gets one response, and the connection closes")
    func plain() throws {
        let wire = try SecuredWire(of: server(), on: eventLoop)
        wire.send("plain\n\(request)\(request)")
        let response = wire.received()
        #expect(response.hasPrefix("HTTP/1.1 400"))
        #expect(response.lowercased().contains("connection: close"))
        #expect(response.hasSuffix("speak up, not http"))
    }

    @Test("listeners with and without TLS stand beside each other")
    func plainListener() throws {
        let plain = HTTPListener(.hostname("h", port: 0))
        let wire = try SecuredWire(of: server(), on: eventLoop, listener: plain)
        #expect(wire.line == nil)
        wire.send(request)
        #expect(wire.received().hasSuffix("http none nobody 10.1.1.1"))
    }

    @Test("the PROXY header comes before the handshake")
    func proxyHeader() throws {
        let listener = HTTPListener(.hostname("h", port: 0), proxyProtocol: .required, usesTLS: true)
        let bytes = Array("PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\nsecure http/1.1\n\(request)".utf8)
        for cut in bytes.indices {
            let wire = try SecuredWire(of: server(), on: eventLoop, listener: listener)
            wire.send(String(decoding: bytes[..<cut], as: UTF8.self))
            wire.send(String(decoding: bytes[cut...], as: UTF8.self))
            #expect(wire.received().hasSuffix("https http/1.1 a peer 192.0.2.1"))
        }
    }

    @Test("a handshake has its time, and not more; then the connection ends without a goodbye")
    func timeout() throws {
        var limits = HTTPLimits()
        limits.handshakeTimeout = .seconds(7)
        let server = server(limits: limits)
        for text in ["", "secure"] {
            let wire = try SecuredWire(of: server, on: eventLoop)
            wire.send(text)
            wire.loop.clockOffset += 5000
            eventLoop.advanceTime(by: .milliseconds(600))
            #expect(!wire.isClosed)
            wire.loop.clockOffset += 3000
            eventLoop.advanceTime(by: .milliseconds(600))
            #expect(wire.isClosed)
            #expect(wire.line?.isAborted == true)
        }
    }

    @Test("the time of the first request begins behind the handshake")
    func headTimeout() throws {
        var limits = HTTPLimits()
        limits.headTimeout = .seconds(7)
        let wire = try SecuredWire(of: server(limits: limits), on: eventLoop)
        wire.send("secure http/1.1\n")
        wire.loop.clockOffset += 9000
        eventLoop.advanceTime(by: .milliseconds(600))
        eventLoop.advanceTime(by: .seconds(10))
        #expect(wire.line?.isAborted == false)
        wire.send(request)
        #expect(!wire.received().contains("200"))
    }

    @Test("no more handshakes are begun than the limit; those that are over, well or not, make room")
    func unfinished() throws {
        var limits = HTTPLimits()
        limits.maxUnfinishedHandshakes = 2
        let server = server(limits: limits)
        let first = try SecuredWire(of: server, on: eventLoop)
        let second = try SecuredWire(of: server, on: eventLoop)
        #expect(try SecuredWire(of: server, on: eventLoop).isClosed)
        first.send("secure http/1.1\n")
        let third = try SecuredWire(of: server, on: eventLoop)
        #expect(!third.isClosed)
        #expect(try SecuredWire(of: server, on: eventLoop).isClosed)
        second.send("nonsense\n")
        #expect(second.isClosed)
        eventLoop.run()
        let fourth = try SecuredWire(of: server, on: eventLoop)
        #expect(!fourth.isClosed)
        third.channel.close(promise: nil)
        eventLoop.run()
        fourth.send("plain\n")
        let fifth = try SecuredWire(of: server, on: eventLoop)
        fifth.send("secure http/1.1\n\(request)")
        #expect(fifth.received().hasSuffix("10.1.1.1"))
    }

    @Test("a client that is not admitted is told so behind the handshake")
    func notAdmitted() throws {
        var limits = HTTPLimits()
        limits.maxConnections = 0
        let wire = try SecuredWire(of: server(limits: limits), on: eventLoop)
        #expect(wire.received().isEmpty && !wire.isClosed)
        wire.send("secure http/1.1\n")
        #expect(wire.received().hasPrefix("HTTP/1.1 503"))
    }

    @Test("shutdown closes connections whose handshake is not complete, also those that come late")
    func shutdown() throws {
        let server = server()
        let wire = try SecuredWire(of: server, on: eventLoop)
        wire.send("sec")
        wire.loop.drain(deadline: .never)
        // A request may be on its way.
        #expect(!wire.isClosed)
        wire.loop.clockOffset = 600
        eventLoop.advanceTime(by: .milliseconds(600))
        #expect(wire.isClosed && wire.line?.isAborted == true)
        let late = try SecuredWire(of: server, on: eventLoop)
        let served = try SecuredWire(of: server, on: eventLoop)
        served.send("secure http/1.1\n\(request)")
        #expect(served.received().contains("Connection: close"))
        late.loop.clockOffset = 1200
        eventLoop.advanceTime(by: .milliseconds(600))
        #expect(late.isClosed)
    }

    @Test("a response that the end of the connection delimits is cut off without a goodbye")
    func reset() throws {
        var configuration = HTTPServer.Configuration()
        configuration.security = FakeSecurity()
        let context = ServerContext(
            policy: ServerPolicy(limits: HTTPLimits(), logger: NotedLog().logger),
            responder: .function { _ in
                Response(
                    status: .ok,
                    body: .stream { writer in
                        try await writer.write("a part")
                        throw CancellationError()
                    })
            })
        let server = HTTPServer(configuration: configuration, group: eventLoop, context: context)
        let wire = try SecuredWire(of: server, on: eventLoop)
        wire.send("secure http/1.1\nGET / HTTP/1.0\r\nHost: h\r\n\r\n")
        eventLoop.run()
        #expect(wire.isClosed)
        #expect(wire.line?.isAborted == true)
    }
}
