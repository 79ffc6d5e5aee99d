import HTTPTypes
import NIOCore
import NIOEmbedded
import OnePort

/// A complete connection on a channel without a socket: decoder, application, router, async handler and encoder, and an
/// echo after an upgrade. The cost of the transport is not included.
enum ConnectionWorkloads {
    static let all: [Workload] = [
        floor("connection-floor", HTTPWorkloads.shortRequest),
        floor("connection-floor-pipelined-16", HTTPWorkloads.shortRequest, pipelined: 16),
        http("connection-plaintext", HTTPWorkloads.shortRequest),
        http("connection-browser", HTTPWorkloads.browserRequest),
        changing("connection-browser-changing", HTTPWorkloads.browserRequest),
        http("connection-pipelined-16", HTTPWorkloads.shortRequest, pipelined: 16),
        http("connection-params", HTTPWorkloads.parametersRequest),
        echo("connection-echo-20", path: "/task", size: 20),
        echo("connection-echo-20-callback", path: "/callback", size: 20),
        echo("connection-echo-16k", path: "/task", size: 16 << 10),
        echo("connection-echo-16k-callback", path: "/callback", size: 16 << 10),
    ]

    private static let plainText: HTTPFields = [.contentType: "text/plain"]

    private static func makeApp() -> App {
        var configuration = AppConfiguration()
        configuration.environment = .production
        // If the machine pauses the program, the responses to a read must not change.
        configuration.limits.turnBudget = .seconds(3600)
        let app = App(configuration: configuration)
        app.get("/plaintext") { _ in Response(fields: plainText, body: .string("Hello, World!")) }
        app.get("/params/{id}/{name}") { request in
            let (id, name) = (try request.parameters.require("id"), try request.parameters.require("name"))
            return .text(id + name)
        }
        var options = app.webSocketOptions
        options.deflate = .off
        app.webSocket("/task", options) { socket in
            for try await message in socket.messages { try await socket.send(message) }
        }
        app.webSocket("/callback", options, Echo())
        return app
    }

    private struct Echo: WebSocketHandler {
        func onMessage(_ message: Message, _ socket: WebSocket) { socket.trySend(message) }
    }

    /// A connection of the application. It keeps the server and the loop alive.
    private final class Connection {
        let server: HTTPServer
        let channel: EmbeddedChannel

        init() throws {
            channel = EmbeddedChannel()
            server = try makeApp().makeServer(group: channel.embeddedEventLoop)
            try server.serve(channel, usesTLS: false)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
        }

        /// The bytes of the responses to `input`.
        func exchange(_ input: ByteBuffer) throws -> Int {
            channel.pipeline.fireChannelRead(input)
            channel.pipeline.fireChannelReadComplete()
            var count = 0
            while let out = try channel.readOutbound(as: ByteBuffer.self) { count += out.readableBytes }
            return count
        }
    }

    /// One operation is one read with `pipelined` requests.
    private static func http(
        _ name: String, _ request: String, pipelined: Int = 1
    ) -> Workload {
        Workload(name, bytes: request.utf8.count * pipelined) {
            let connection = try Connection()
            let input = ByteBuffer(string: String(repeating: request, count: pipelined))
            let expected = try connection.exchange(input)
            guard expected > 100 * pipelined else { throw WrongResult(description: name) }
            return { operations in
                for _ in 0..<operations {
                    guard try connection.exchange(input) == expected else {
                        throw WrongResult(description: name)
                    }
                }
            }
        }
    }

    /// Requests whose headers differ from those of the previous request.
    private static func changing(_ name: String, _ request: String) -> Workload {
        Workload(name, bytes: request.utf8.count + 10) {
            let connection = try Connection()
            let inputs = (0..<8).map { ByteBuffer(string: request.dropLast(2) + "X-Turn: \($0)\r\n\r\n") }
            return { operations in
                for index in 0..<operations {
                    guard try connection.exchange(inputs[index & 7]) > 100 else {
                        throw WrongResult(description: name)
                    }
                }
            }
        }
    }

    /// The cost of the channel itself: a handler that searches for blank lines, and sends fixed bytes for each.
    private static func floor(_ name: String, _ request: String, pipelined: Int = 1) -> Workload {
        Workload(name, bytes: request.utf8.count * pipelined) {
            let channel = EmbeddedChannel(handler: FloorHandler())
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 80)).wait()
            let input = ByteBuffer(string: String(repeating: request, count: pipelined))
            return { operations in
                for _ in 0..<operations {
                    channel.pipeline.fireChannelRead(input)
                    channel.pipeline.fireChannelReadComplete()
                    var count = 0
                    while let out = try channel.readOutbound(as: ByteBuffer.self) {
                        count += out.readableBytes
                    }
                    guard count == FloorHandler.answer.readableBytes * pipelined else {
                        throw WrongResult(description: name)
                    }
                }
            }
        }
    }

    private final class FloorHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        static let answer = ByteBuffer(
            string: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n"
                + "Date: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\nHello, World!")

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let count = unwrapInboundIn(data).readableBytesView.withUnsafeBytes { bytes in
                var (count, index) = (0, 3)
                while index < bytes.count {
                    if bytes[index] == 0x0A, bytes[index - 2] == 0x0A { count += 1 }
                    index += 1
                }
                return count
            }
            var out = Self.answer
            if count > 1 {
                out = context.channel.allocator.buffer(capacity: count * Self.answer.readableBytes)
                for _ in 0..<count { out.writeImmutableBuffer(Self.answer) }
            }
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        }
    }

    private static func echo(_ name: String, path: String, size: Int) -> Workload {
        Workload(name, bytes: size) {
            let connection = try Connection()
            let handshake =
                "GET \(path) HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            guard try connection.exchange(ByteBuffer(string: handshake)) > 100 else {
                throw WrongResult(description: name)
            }
            let input = SocketWorkloads.frame(size)
            let expected = size + (size < 126 ? 2 : 4)
            return { operations in
                for _ in 0..<operations {
                    guard try connection.exchange(input) == expected else {
                        throw WrongResult(description: name)
                    }
                }
            }
        }
    }
}
