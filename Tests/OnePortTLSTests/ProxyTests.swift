import NIOCore
import NIOPosix
import OnePort
import Synchronization
import Testing
import WSKit

@testable import OnePortTLS

@Suite("wss:// through a proxy", .timeLimit(.minutes(2)))
struct ProxyTests {
    private func options(proxyPort: Int) -> WebSocketClientOptions {
        WebSocketClientOptions {
            $0.tls = ClientTLS(trust: .authorities(file: Fixture.path("authority.pem")))
            $0.proxy = .init(host: "127.0.0.1", port: proxyPort, authorization: "Basic abc")
            $0.connectTimeout = .seconds(30)
        }
    }

    @Test("the tunnel comes first, and TLS is spoken with the server behind it")
    func tunnel() async throws {
        try await withServer(
            "localhost",
            declare: { app in
                app.webSocket("/echo") { socket in
                    for try await message in socket.messages { try await socket.send(message) }
                }
            }
        ) { port, _ in
            let proxy = try await ConnectProxy.start(response: "HTTP/1.1 200 OK\r\n\r\n")
            let address = "wss://localhost:\(port)/echo"
            let text = String(repeating: "x", count: 200_000)
            try await WebSocketClient.withConnection(to: address, options(proxyPort: proxy.port)) { socket in
                try await socket.send(text)
                var texts = socket.texts.makeAsyncIterator()
                let answer = try await texts.next()
                #expect(answer == text)
            }
            let head = proxy.heads.first ?? ""
            #expect(head.hasPrefix("CONNECT localhost:\(port) HTTP/1.1\r\n"))
            #expect(head.contains("Proxy-Authorization: Basic abc\r\n"))
            try await proxy.stop()
        }
    }

    @Test("an IP address cannot be verified through a proxy; a proxy that refuses, or says more, is an error")
    func errors() async throws {
        try await withServer("localhost") { port, _ in
            for (response, host, expected) in [
                ("HTTP/1.1 200 OK\r\n\r\n", "127.0.0.1", "cannot be verified through a proxy"),
                ("HTTP/1.1 403 Forbidden\r\n\r\n", "localhost", "the proxy responded with 403"),
                ("HTTP/1.1 200 OK\r\n\r\nhello", "localhost", "the proxy sent data of its own"),
            ] {
                let proxy = try await ConnectProxy.start(response: response)
                do {
                    try await WebSocketClient.connect(
                        to: "wss://\(host):\(port)/", options(proxyPort: proxy.port)
                    ).close()
                    Issue.record("it has connected")
                } catch {
                    #expect("\(error)".contains(expected))
                    #expect(!ReconnectPolicy.isTransient(error))
                }
                try await proxy.stop()
            }
        }
    }
}

/// A proxy that opens tunnels (RFC 9110 §9.3.6).
private final class ConnectProxy: Sendable {
    private let listener: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let noted: Noted

    private final class Noted: Sendable {
        let heads = Mutex<[String]>([])
    }

    var port: Int { listener.localAddress?.port ?? 0 }
    /// The heads of the requests.
    var heads: [String] { noted.heads.withLock { $0 } }

    private init(listener: any Channel, group: MultiThreadedEventLoopGroup, noted: Noted) {
        self.listener = listener
        self.group = group
        self.noted = noted
    }

    static func start(response: String) async throws -> ConnectProxy {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let noted = Noted()
        let listener = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    Client(response: response) { head in noted.heads.withLock { $0.append(head) } })
            }
        }.bind(host: "127.0.0.1", port: 0).get()
        return ConnectProxy(listener: listener, group: group, noted: noted)
    }

    func stop() async throws {
        try await listener.close()
        try await group.shutdownGracefully()
    }

    /// Reads the request, connects to its target, and passes everything on.
    private final class Client: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let response: String
        private let note: @Sendable (String) -> Void
        private var head = ""
        private var server: (any Channel)?

        init(response: String, note: @escaping @Sendable (String) -> Void) {
            self.response = response
            self.note = note
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if let server { return server.writeAndFlush(unwrapInboundIn(data), promise: nil) }
            head += String(buffer: unwrapInboundIn(data))
            guard head.hasSuffix("\r\n\r\n") else { return }
            note(head)
            let target = head.split(separator: " ")[1].split(separator: ":")
            let client = context.channel
            ClientBootstrap(group: context.eventLoop).channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Back(client: client))
                }
            }.connect(host: String(target[0]), port: Int(target[1]) ?? 0).assumeIsolated().whenSuccess {
                server in
                self.server = server
                client.writeAndFlush(ByteBuffer(string: self.response), promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { server?.close(promise: nil) }
    }

    private final class Back: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let client: any Channel
        init(client: any Channel) { self.client = client }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            client.writeAndFlush(unwrapInboundIn(data), promise: nil)
        }
        func channelInactive(context: ChannelHandlerContext) { client.close(promise: nil) }
    }
}
