import HTTPKit
public import HTTPTypes
public import NIOCore
import NIOPosix
public import WSKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A client for an application under test. Each request and each socket has its own connection.
public struct TestClient: Sendable {
    let server: HTTPServer
    let group: any EventLoopGroup
    let session = TestSession()
    /// The server's address, or `nil` in memory.
    public let address: SocketAddress?
    /// The cookies that are kept between requests; `nil` if none are kept.
    var cookies: TestCookies?
    /// The largest response, including its head, in bytes. A larger one fails with `TestClientError.tooLarge`.
    public var maxResponseSize = 64 << 20

    init(server: HTTPServer, group: any EventLoopGroup, address: SocketAddress?) {
        self.server = server
        self.group = group
        self.address = address
    }

    /// Sends a request and returns the complete response.
    ///
    /// - Throws: `TestClientError` if the response is not complete within a minute, is followed by more bytes, or is too
    ///   large, or if `App.test` has returned; `HTTPError` if the response is malformed.
    public func request(
        _ method: HTTPRequest.Method, _ target: String, fields: HTTPFields = [:], body: ByteBuffer? = nil
    ) async throws -> TestResponse {
        var head = ByteBuffer(string: "\(method.rawValue) \(target) HTTP/1.1\r\nConnection: close\r\n")
        var fields = fields
        if let cookies, !fields.contains(where: { $0.name == .cookie }) {
            fields[.cookie] = cookies.field(for: target)
        }
        if let body { fields[.contentLength] = String(body.readableBytes) }
        if !fields.contains(where: { $0.name.canonicalName == "host" }) {
            head.writeString("Host: localhost\r\n")
        }
        for field in fields { head.writeString("\(field.name.rawName): \(field.value)\r\n") }
        head.writeStaticString("\r\n")
        if let body { head.writeImmutableBuffer(body) }
        let raw = try await exchange(head)
        do {
            let response = try TestResponse(raw: raw, answering: method)
            cookies?.store(response.fields[values: .setCookie])
            return response
        } catch TestClientError.incomplete where session.isEnded {
            throw TestClientError.ended
        }
    }

    /// Sends raw bytes and returns everything that the server sends until it closes the connection.
    ///
    /// - Throws: `TestClientError` if the server does not close within a minute or sends too much, or if `App.test` has
    ///   returned.
    public func exchange(_ bytes: ByteBuffer) async throws -> ByteBuffer {
        let channel = try await connect()
        let collector = Collector(
            channel.eventLoop.makePromise(of: ByteBuffer.self), limit: maxResponseSize)
        let timeout = channel.eventLoop.scheduleTask(in: Self.patience) {
            collector.fail(TestClientError.timeout)
        }
        defer {
            timeout.cancel()
            channel.close(promise: nil)
        }
        channel.eventLoop.execute {
            do {
                try channel.pipeline.syncOperations.addHandler(collector)
            } catch {
                return collector.fail(error)
            }
            channel.setOption(.autoRead, value: true).whenComplete { _ in channel.read() }
            channel.writeAndFlush(bytes, promise: nil)
        }
        return try await collector.result.get()
    }

    /// How long a response may take. The value is generous, because machines that run tests are busy.
    private static let patience = TimeAmount.seconds(60)

    /// Sends a GET request.
    public func get(_ target: String, fields: HTTPFields = [:]) async throws -> TestResponse {
        try await request(.get, target, fields: fields)
    }

    /// Sends a POST request with a body.
    public func post(_ target: String, fields: HTTPFields = [:], body: ByteBuffer) async throws
        -> TestResponse
    {
        try await request(.post, target, fields: fields, body: body)
    }

    /// Sends a POST request with a value as JSON.
    public func post(_ target: String, fields: HTTPFields = [:], json: some Encodable) async throws
        -> TestResponse
    {
        try await request(.post, target, fields: fields, json: json)
    }

    /// Opens a WebSocket. It is closed when `App.test` returns, unless the test closes it before.
    ///
    /// - Throws: `ClientHandshakeError` if the handshake is rejected; `TestClientError.ended` if `App.test` has returned.
    ///   A socket that is used after that throws `WebSocketClosed`, as any closed socket does.
    public func webSocket(
        _ target: String, _ options: WebSocketClientOptions = WebSocketClientOptions()
    ) async throws -> WebSocket {
        let address = try WebSocketAddress("ws://localhost\(target)")
        return try await WebSocketClient(group: group).open(address, options, on: try await connect())
    }

    /// Connects to the application. The connection does not read yet.
    private func connect() async throws -> any Channel {
        try session.check()
        do {
            let channel = try await makeChannel()
            try session.add(channel)
            return channel
        } catch {
            // The server may have stopped while this was connecting.
            try session.check()
            throw error
        }
    }

    private func makeChannel() async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: group).channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
        if let address { return try await bootstrap.connect(to: address).get() }
        var ends: (CInt, CInt) = (-1, -1)
        #if canImport(Glibc)
            let kind = CInt(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let result = withUnsafeMutableBytes(of: &ends) { bytes in
            socketpair(AF_UNIX, kind, 0, bytes.bindMemory(to: CInt.self).baseAddress)
        }
        guard result == 0 else { throw TestClientError.noSocket(errno: errno) }
        // The server's end is served when the first bytes are written: its timeouts do not count what a busy machine
        // takes until the test writes.
        let (own, other) = (ends.1, ends.0)
        return try await bootstrap.channelInitializer { [server] channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    ServeAtFirstFlush(server: server, socket: other))
            }
        }.withConnectedSocket(own).get()
    }
}

/// Why a test's request failed.
public enum TestClientError: Error, Hashable {
    /// The response was not complete within a minute.
    case timeout
    /// The server closed before the response was complete. The value is what it sent.
    case incomplete(String)
    /// The server sent more than the response. The value is what followed it.
    case surplus(String)
    /// The response has more than `TestClient.maxResponseSize` bytes.
    case tooLarge(limit: Int)
    /// The client was used after `App.test` had returned.
    case ended
    /// The system could not create a socket pair.
    case noSocket(errno: Int32)
}

/// `close`, which handlers have a method of the same name for.
private func closeDescriptor(_ descriptor: CInt) { _ = close(descriptor) }

/// Has the server serve the other end of a pair of sockets when the first bytes are flushed.
private final class ServeAtFirstFlush: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = IOData

    private let server: HTTPServer
    /// The server's end, until the server has it.
    private var socket: NIOBSDSocket.Handle?

    init(server: HTTPServer, socket: NIOBSDSocket.Handle) {
        self.server = server
        self.socket = socket
    }

    func flush(context: ChannelHandlerContext) {
        if let socket {
            self.socket = nil
            let channel = context.channel
            server.adopt(socket: socket).whenFailure { _ in channel.close(promise: nil) }
        }
        context.flush()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if let socket { closeDescriptor(socket) }
        socket = nil
    }
}

/// Collects all bytes until the server closes.
private final class Collector: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<ByteBuffer>
    private let limit: Int
    private var collected = ByteBuffer()
    private var isDone = false

    var result: EventLoopFuture<ByteBuffer> { promise.futureResult }

    init(_ promise: EventLoopPromise<ByteBuffer>, limit: Int) {
        self.promise = promise
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var buffer = unwrapInboundIn(data)
        guard collected.readableBytes + buffer.readableBytes <= limit else {
            collected = ByteBuffer()
            fail(TestClientError.tooLarge(limit: limit))
            return context.close(promise: nil)
        }
        collected.writeBuffer(&buffer)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { finish() }
    }

    func channelInactive(context: ChannelHandlerContext) { finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        promise.succeed(collected)
    }

    func fail(_ error: any Error) {
        guard !isDone else { return }
        isDone = true
        promise.fail(error)
    }
}
