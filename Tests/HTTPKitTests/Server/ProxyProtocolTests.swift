import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

/// A connection that a listener with the PROXY protocol has accepted, without a socket or a clock but the test's.
private final class ProxiedWire {
    let server: HTTPServer
    let channel = EmbeddedChannel()
    let transport = StubTransport(highWaterMark: 1 << 20)
    let log: NotedLog
    let loop: LoopContext

    /// - Parameter draining: whether the server has been told to go before it accepts the connection.
    init(
        from peer: String? = "10.1.1.1", limits: HTTPLimits = HTTPLimits(), draining: Bool = false,
        log: NotedLog = NotedLog(), _ responder: @escaping Handler = ProxiedWire.addresses
    ) throws {
        self.log = log
        var configuration = HTTPServer.Configuration()
        configuration.proxyProtocol = .required
        let context = ServerContext(
            policy: ServerPolicy(
                limits: limits, logger: log.logger,
                isProxy: { $0.ipAddress?.hasPrefix("10.") == true || $0.ipAddress == "fd00::1" }),
            responder: .function(responder))
        server = HTTPServer(
            configuration: configuration, group: channel.embeddedEventLoop, context: context)
        loop = try server.loop(of: channel)
        let address = try peer.map { try SocketAddress(ipAddress: $0, port: 4711) }
        channel.remoteAddress = address
        try channel.pipeline.syncOperations.addHandler(transport)
        if draining { loop.drain(deadline: .never) }
        try server.accept(channel, HTTPListener(.hostname("h", port: 0), proxyProtocol: .required))
        try channel.connect(to: address ?? SocketAddress(unixDomainSocketPath: "/x")).wait()
        settle()
    }

    deinit {
        if channel.isActive { channel.close(promise: nil) }
        settle()
    }

    /// What the application is told of the client.
    static let addresses: Handler = { request in
        func text(_ address: SocketAddress?) -> String {
            address.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "nil"
        }
        return .text(
            "\(text(request.remoteAddress)) \(text(request.clientAddress)) "
                + "\(text(request.countedAddress)) \(request.scheme)")
    }

    func settle() { channel.embeddedEventLoop.run() }

    /// Delivers bytes as one read.
    func send(_ bytes: some Sequence<UInt8>) {
        guard channel.isActive else { return }
        channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
        channel.pipeline.fireChannelReadComplete()
        settle()
    }

    func send(_ text: String) { send(text.utf8) }

    func sendEnd() {
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        settle()
    }

    func pass(_ duration: Duration) {
        loop.clockOffset += LoopInstant(milliseconds: 0).advanced(by: duration).milliseconds
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(600))
    }

    func drain() {
        loop.drain(deadline: LoopInstant.now.advanced(by: .seconds(5)))
        settle()
    }

    func received() -> String {
        var text = ""
        while let data = try? channel.readOutbound(as: IOData.self) {
            if case .byteBuffer(let buffer) = data { text += String(buffer: buffer) }
        }
        return text
    }

    var isWaitingForHeader: Bool {
        (try? channel.pipeline.syncOperations.handler(type: ProxyHeaderHandler.self)) != nil
    }
}

private let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
private let header = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"

@Suite("PROXY protocol: a listener that requires it")
struct ProxyProtocolTests {
    typealias Case = (header: [UInt8], fields: String, expected: String)

    private static let fields = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n"

    /// What handlers see: remote address, client address, address for bounds, scheme.
    static let cases: [Case] = [
        (Array(header.utf8), "", "192.0.2.1:56324 192.0.2.1:56324 192.0.2.1:56324 http"),
        // The client has written the fields.
        (Array(header.utf8), fields, "192.0.2.1:56324 192.0.2.1:56324 192.0.2.1:56324 http"),
        (
            Array("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n".utf8), fields,
            "2001:db8::1:1 2001:db8::1:1 2001:db8::1:1 http"
        ),
        // Another trusted proxy stands in front of the one that sends the header, and writes fields.
        (
            Array("PROXY TCP4 10.2.2.2 192.0.2.2 1 2\r\n".utf8), fields,
            "10.2.2.2:1 198.51.100.7:0 198.51.100.7:0 https"
        ),
        (Array("PROXY TCP4 10.2.2.2 192.0.2.2 1 2\r\n".utf8), "", "10.2.2.2:1 nil nil http"),
        (Array("PROXY UNKNOWN\r\n".utf8), "", "10.1.1.1:4711 nil nil http"),
        (Array("PROXY UNKNOWN\r\n".utf8), fields, "10.1.1.1:4711 nil nil http"),
        (proxyBlock(0x21, 0x00, []), fields, "10.1.1.1:4711 nil nil http"),
        (proxyBlock(0x21, 0x31, Array(repeating: 1, count: 216)), "", "10.1.1.1:4711 nil nil http"),
        (proxyBlock(0x20, 0x00, []), "", "10.1.1.1:4711 10.1.1.1:4711 nil http"),
        (proxyBlock(0x20, 0x00, []), fields, "10.1.1.1:4711 10.1.1.1:4711 nil http"),
        (
            proxyBlock(0x21, 0x11, [192, 0, 2, 9, 192, 0, 2, 2, 0, 80, 0, 81, 4, 0, 1, 7]), "",
            "192.0.2.9:80 192.0.2.9:80 192.0.2.9:80 http"
        ),
    ]

    @Test("the client is whom the header names; header and request may come in any pieces")
    func addresses() throws {
        for (header, fields, expected) in Self.cases {
            let bytes = header + Array("GET / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n".utf8)
            for cut in bytes.indices {
                let wire = try ProxiedWire()
                wire.send(bytes[..<cut])
                #expect(wire.isWaitingForHeader == (cut < header.count))
                wire.send(bytes[cut...])
                let text = wire.received()
                #expect(statuses(text) == [200] && content(text) == expected, "\(text)")
                #expect(!wire.isWaitingForHeader)
            }
            let wire = try ProxiedWire()
            for byte in bytes { wire.send([byte]) }
            #expect(content(wire.received()) == expected)
        }
    }

    @Test("pipelined requests behind the header are answered, and later ones have the same address")
    func pipelined() throws {
        let wire = try ProxiedWire()
        wire.send(header + request + request)
        wire.send(request)
        let text = wire.received()
        #expect(statuses(text) == [200, 200, 200])
        #expect(text.components(separatedBy: "192.0.2.1:56324 192.0.2.1").count == 4)
    }

    @Test(
        "a connection of anybody else is closed, whatever it sends",
        arguments: ["192.0.2.1", "127.0.0.1", "::1", nil])
    func untrusted(peer: String?) throws {
        let wire = try ProxiedWire(from: peer)
        #expect(!wire.channel.isActive)
        wire.send(header + request)
        #expect(wire.received().isEmpty)
        #expect(wire.log.lines == ["info connection refused"])
    }

    @Test(
        "a malformed header closes the connection without a response",
        arguments: [
            request, "PROXY TCP4 192.0.2.1 h 1 2\r\n" + request, "PROXY UNKNOWN\n" + request,
            "PROXY UNKNOWN " + String(repeating: "f", count: 200),
        ])
    func malformed(text: String) throws {
        let wire = try ProxiedWire()
        wire.send(text)
        #expect(!wire.channel.isActive && wire.received().isEmpty)
        #expect(wire.log.lines == ["info connection refused"])
        #expect(wire.log.entries.first?.metadata["address"] == "10.1.1.1")
    }

    @Test("the header and the first byte of a request must come within headTimeout", arguments: [0, 1, 20])
    func headerTimeout(count: Int) throws {
        let wire = try ProxiedWire()
        wire.pass(.seconds(5))
        wire.send(header.utf8.prefix(count))
        wire.pass(.seconds(4))
        #expect(wire.channel.isActive)
        wire.pass(.seconds(2))
        #expect(!wire.channel.isActive && wire.received().isEmpty)
    }

    @Test("the time that the header took counts for the request")
    func timeAfterHeader() throws {
        let wire = try ProxiedWire()
        wire.pass(.seconds(8))
        wire.send(header)
        #expect(!wire.transport.isOutputClosed)
        wire.pass(.seconds(3))
        #expect(wire.transport.isOutputClosed && wire.received().isEmpty)
    }

    @Test("a peer that closes its side before the header is whole is closed; behind it, it gets its response")
    func halfClosed() throws {
        let early = try ProxiedWire()
        early.send("PROXY ")
        early.sendEnd()
        #expect(!early.channel.isActive)
        let late = try ProxiedWire()
        late.send(header + request)
        late.sendEnd()
        #expect(statuses(late.received()) == [200])
    }

    @Test("the drain closes a connection whose header has not come, and lets a request behind it end")
    func draining() throws {
        let waiting = try ProxiedWire()
        waiting.send("PROXY ")
        waiting.drain()
        #expect(waiting.channel.isActive)
        waiting.pass(.milliseconds(600))
        #expect(!waiting.channel.isActive)
        let late = try ProxiedWire(draining: true)
        late.send(header + request)
        #expect(statuses(late.received()) == [200])
        let silent = try ProxiedWire(draining: true)
        silent.pass(.milliseconds(600))
        #expect(!silent.channel.isActive)
        let gate = Gate()
        let serving = try ProxiedWire { request in
            await gate.pass()
            return .text("done")
        }
        serving.send(header + request)
        serving.drain()
        #expect(serving.channel.isActive)
        gate.open()
        serving.settle()
        #expect(statuses(serving.received()) == [200])
    }

    @Test("connections are counted by the address of the header, and counted out at their end")
    func perAddress() async throws {
        var limits = HTTPLimits()
        limits.maxConnectionsPerAddress = 2
        limits.maxConnections = 3
        let context = ServerContext(
            policy: ServerPolicy(
                limits: limits, logger: NotedLog().logger, isProxy: { $0.ipAddress == "10.1.1.1" }),
            responder: .function { _ in Response() })
        let client = try SocketAddress(ipAddress: "192.0.2.1", port: 1)
        let other = try SocketAddress(ipAddress: "192.0.2.2", port: 1)
        func open(_ address: SocketAddress) -> Admission {
            context.clientNamed(address, context.connectionOpened(from: nil))
        }
        let (first, second, third) = (open(client), open(client), open(client))
        #expect(first.refusal == nil && second.refusal == nil && third.refusal == .tooManyOfAddress)
        // The refused one takes no place.
        let fourth = open(other)
        let fifth = open(other)
        #expect(fourth.refusal == nil && fifth.refusal == .tooMany)
        context.connectionClosed(first)
        let sixth = open(client)
        #expect(sixth.refusal == nil)
        for admission in [second, third, fourth, fifth, sixth] { context.connectionClosed(admission) }
        let proxies = try (0..<3).map { _ in open(try SocketAddress(ipAddress: "10.1.1.1", port: 1)) }
        #expect(proxies.allSatisfy { $0.refusal == nil })
        for admission in proxies { context.connectionClosed(admission) }
        await context.allClosed()
        #expect(context.openConnections == 0)
    }

    @Test("who is over the bound is told so behind the header")
    func refused() throws {
        var limits = HTTPLimits()
        limits.maxConnectionsPerAddress = 0
        let one = try ProxiedWire(limits: limits)
        one.send(header + request)
        #expect(statuses(one.received()) == [429])
        limits.maxConnections = 0
        let all = try ProxiedWire(limits: limits)
        all.send(header + request)
        #expect(statuses(all.received()) == [503])
    }

    @Test("it counts connections and bytes as for others")
    func statistics() throws {
        let wire = try ProxiedWire()
        let loop = wire.loop
        wire.send(header + request)
        #expect(loop.statistics.connections == 1)
        #expect(loop.statistics.bytesIn == header.utf8.count + request.utf8.count)
        wire.channel.close(promise: nil)
        wire.settle()
        #expect(loop.statistics.connections == 0 && loop.memberCount == 0)
        #expect(wire.server.context.openConnections == 0)
    }

    @Test("without trusted proxies the server does not start")
    func nobodyTrusted() async throws {
        await #expect(throws: NoTrustedProxyError.self) {
            try await LiveServer.run(configure: { $0.proxyProtocol = .required }, { _ in Response() }) { _ in
            }
        }
    }

    @Test("over TCP: header, requests, and a client in the wrong protocol")
    func live() async throws {
        try await LiveServer.run(
            configure: {
                $0.proxyProtocol = .required
                $0.isTrustedProxy = { $0.ipAddress == "127.0.0.1" }
            }, ProxiedWire.addresses
        ) { server in
            let client = try await LiveClient(to: server)
            try await client.send("PROXY TCP4 192.0.2.1 192.0.2.2 ")
            try await client.send("56324 443\r\n" + request)
            let answer = try await client.receiveAnswer()
            #expect(
                String(decoding: answer.content, as: UTF8.self).hasPrefix("192.0.2.1:56324 192.0.2.1:56324 "))
            let next = try await client.get("/")
            #expect(String(decoding: next.content, as: UTF8.self).hasPrefix("192.0.2.1:56324 "))
            let plain = try await LiveClient(to: server)
            try await plain.send(request)
            #expect(try await plain.receive().isEmpty)
        }
    }
}
