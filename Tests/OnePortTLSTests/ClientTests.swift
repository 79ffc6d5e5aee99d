import NIOCore
import NIOPosix
import OnePort
import Testing
import WSKit

@testable import OnePortTLS

@Suite("wss:// in WebSocketClient", .timeLimit(.minutes(2)))
struct ClientTests {
    private func declare(_ app: App) {
        app.webSocket("/echo") { socket in
            let request = try #require(socket.request)
            let name = request.clientCertificate?.commonName ?? "-"
            try await socket.send("hello \(request.scheme) \(name)")
            for try await message in socket.messages { try await socket.send(message) }
        }
    }

    private func options(_ tls: ClientTLS?) -> WebSocketClientOptions {
        WebSocketClientOptions {
            $0.tls = tls
            $0.connectTimeout = .seconds(30)
        }
    }

    private let trusting = ClientTLS(trust: .authorities(file: Fixture.path("authority.pem")))

    /// The error of an attempt to connect.
    private func failure(
        _ address: String, _ tls: ClientTLS?, _ change: (inout WebSocketClientOptions) -> Void = { _ in }
    ) async -> (any Error)? {
        var options = options(tls)
        change(&options)
        do {
            try await WebSocketClient.connect(to: address, options).close()
            return nil
        } catch {
            return error
        }
    }

    @Test("messages go both ways, also large ones, and the connection closes in order")
    func echo() async throws {
        try await withServer("localhost", declare: declare) { port, _ in
            for host in ["localhost", "127.0.0.1"] {
                try await WebSocketClient.withConnection(to: "wss://\(host):\(port)/echo", options(trusting))
                { socket in
                    var texts = socket.texts.makeAsyncIterator()
                    let hello = try await texts.next()
                    #expect(hello == "hello https -")
                    let large = String(repeating: "x", count: 900_000)
                    for text in ["a", large, "b"] {
                        try await socket.send(text)
                        let answer = try await texts.next()
                        #expect(answer == text)
                    }
                    await socket.close()
                    #expect(await socket.closeReason?.code == .normal)
                }
            }
        }
    }

    @Test("a certificate that is not accepted is a typed error, and not worth another attempt")
    func identity() async throws {
        let system = ClientTLS()
        let cases: [(String, ClientTLS, ServerIdentityError)] = [
            ("localhost", system, .untrusted(host: "localhost")),
            ("stranger", trusting, .untrusted(host: "localhost")),
            ("expired", trusting, .expired(host: "localhost")),
            ("early", trusting, .notYetValid(host: "localhost")),
            ("example", trusting, .wrongHost("localhost")),
        ]
        for (name, tls, expected) in cases {
            try await withServer(name, declare: declare) { port, _ in
                let error = await failure("wss://localhost:\(port)/echo", tls)
                #expect(
                    error as? ServerIdentityError == expected, "\(name): \(error.map { "\($0)" } ?? "none")")
                #expect(error.map(ReconnectPolicy.isTransient) == false)
            }
        }
        try await withServer("example", declare: declare) { port, _ in
            let error = await failure("wss://127.0.0.1:\(port)/echo", trusting)
            #expect(error as? ServerIdentityError == .wrongHost("127.0.0.1"))
        }
    }

    @Test("an authority of one's own can stand beside those of the system")
    func systemAndOwn() async throws {
        let tls = ClientTLS(trust: .systemAnd(file: Fixture.path("authority.pem")))
        try await withServer("localhost", declare: declare) { port, _ in
            #expect(await failure("wss://localhost:\(port)/echo", tls) == nil)
        }
    }

    @Test("without the option tls, the error says what is missing")
    func noTLS() async {
        let error = await failure("wss://localhost:1/", nil) as? WebSocketConnectError
        #expect(error?.reason.contains("OnePortTLS") == true && error?.isTransient == false)
    }

    @Test("a file of the client's own that cannot be used is an error that names it")
    func ownFiles() async {
        let file = Fixture.path("missing.pem")
        let error = await failure("wss://localhost:1/", ClientTLS(trust: .authorities(file: file)))
        #expect(error as? TLSError == .unreadable(file: file, reason: "No such file or directory"))
    }

    @Test("a server that does not speak TLS, or goes away in the handshake, is worth another attempt")
    func noServer() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        for text in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
            let listener = try await ServerBootstrap(group: group).childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Speaker(text: text))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(listener.localAddress?.port)
            let error = await failure("wss://localhost:\(port)/", trusting)
            #expect(
                (error as? WebSocketConnectError)?.isTransient == true, "\(error.map { "\($0)" } ?? "none")")
            try await listener.close()
        }
        try await group.shutdownGracefully()
    }

    @Test("the server asks for a certificate of the client and sees whose it is")
    func clientCertificate() async throws {
        let ada = ClientTLS(
            trust: .authorities(file: Fixture.path("authority.pem")), certificate: Fixture.files("client"))
        let authority = Fixture.path("authority.pem")
        try await withServer("localhost", settings: { $0.clientAuthorities = authority }, declare: declare) {
            port, _ in
            try await WebSocketClient.withConnection(to: "wss://localhost:\(port)/echo", options(ada)) {
                socket in
                var texts = socket.texts.makeAsyncIterator()
                let hello = try await texts.next()
                #expect(hello == "hello https Ada")
            }
            #expect(await failure("wss://localhost:\(port)/echo", trusting) is WebSocketConnectError)
            let stranger = ClientTLS(
                trust: .authorities(file: authority), certificate: Fixture.files("stranger"))
            #expect(await failure("wss://localhost:\(port)/echo", stranger) is WebSocketConnectError)
        }
    }

    @Test("the certificate is the one for the host that the client names")
    func serverName() async throws {
        // The second certificate is for another host, and the first one is for localhost.
        try await withServer("example", "localhost", declare: declare) { port, _ in
            #expect(await failure("wss://localhost:\(port)/echo", trusting) == nil)
            #expect(
                await failure("wss://127.0.0.1:\(port)/echo", trusting) as? ServerIdentityError
                    == .wrongHost("127.0.0.1"))
        }
    }

    @Test("keepConnected connects again over TLS")
    func keepConnected() async throws {
        try await withServer(
            "localhost",
            declare: { app in
                app.webSocket("/once") { socket in
                    try await socket.send("one")
                    try await socket.close(.goingAway)
                }
            }
        ) { port, _ in
            var seen = 0
            try await WebSocketClient.keepConnected(
                to: "wss://localhost:\(port)/once", options(trusting), clock: ImmediateClock(),
                onEvent: { _ in }
            ) { socket in
                for try await _ in socket.texts {
                    seen += 1
                    if seen == 3 { return await socket.close() }
                }
            }
            #expect(seen == 3)
        }
    }
}

/// Says a text as soon as it hears something, and closes.
private final class Speaker: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    let text: String
    init(text: String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text))).whenComplete { _ in
            channel.close(promise: nil)
        }
    }
}

/// A clock that does not wait.
private struct ImmediateClock: Clock {
    typealias Duration = Swift.Duration
    typealias Instant = ContinuousClock.Instant
    var now: Instant { ContinuousClock.now }
    var minimumResolution: Duration { .zero }
    func sleep(until deadline: Instant, tolerance: Duration?) async throws { await Task.yield() }
}
