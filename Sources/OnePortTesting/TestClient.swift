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

/// Asks an application in a test. Each request and each socket has a connection of its own.
public struct TestClient: Sendable {
    let server: HTTPServer
    let group: any EventLoopGroup
    let session = TestSession()
    /// Where the server listens; `nil` in memory.
    public let address: SocketAddress?
    /// How many bytes a response may have with its head; more fails with `TestClientError.tooLarge`.
    public var maxResponseSize = 64 << 20

    init(server: HTTPServer, group: any EventLoopGroup, address: SocketAddress?) {
        self.server = server
        self.group = group
        self.address = address
    }

    /// Sends a request and reads the whole response.
    ///
    /// - Throws: `TestClientError` when no whole response comes within a minute, or more than one, or one that is too
    ///   large, and when the call of `App.test` is over; `HTTPError` when it cannot be read.
    public func request(
        _ method: HTTPRequest.Method, _ target: String, fields: HTTPFields = [:], body: ByteBuffer? = nil
    ) async throws -> TestResponse {
        var head = ByteBuffer(string: "\(method.rawValue) \(target) HTTP/1.1\r\nConnection: close\r\n")
        var fields = fields
        if let body { fields[.contentLength] = String(body.readableBytes) }
        if !fields.contains(where: { $0.name.canonicalName == "host" }) {
            head.writeString("Host: localhost\r\n")
        }
        for field in fields { head.writeString("\(field.name.rawName): \(field.value)\r\n") }
        head.writeStaticString("\r\n")
        if let body { head.writeImmutableBuffer(body) }
        let raw = try await exchange(head)
        do {
            return try TestResponse(raw: raw, answering: method)
        } catch TestClientError.incomplete where session.isEnded {
            throw TestClientError.ended
        }
    }

    /// Sends bytes as they are and returns everything that comes back until the server closes.
    ///
    /// - Throws: `TestClientError` when the server does not close within a minute or sends too much, and when the call
    ///   of `App.test` is over.
    public func exchange(_ octets: ByteBuffer) async throws -> ByteBuffer {
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
            channel.writeAndFlush(octets, promise: nil)
        }
        return try await collector.whole.get()
    }

    /// How long an answer may take: machines that run tests are busy.
    private static let patience = TimeAmount.seconds(60)

    /// GET.
    public func get(_ target: String, fields: HTTPFields = [:]) async throws -> TestResponse {
        try await request(.get, target, fields: fields)
    }

    /// POST of octets.
    public func post(_ target: String, fields: HTTPFields = [:], body: ByteBuffer) async throws
        -> TestResponse
    {
        try await request(.post, target, fields: fields, body: body)
    }

    /// POST of a value as JSON.
    public func post(_ target: String, fields: HTTPFields = [:], json: some Encodable) async throws
        -> TestResponse
    {
        var fields = fields
        fields[.contentType] = "application/json"
        return try await request(.post, target, fields: fields, body: try JSON.encode(json))
    }

    /// Opens a WebSocket; the test closes it, or the end of the test does.
    ///
    /// - Throws: `ClientHandshakeError` when it is refused; `TestClientError.ended` when the call of `App.test` is over.
    ///   A socket that is used after that call throws `WebSocketClosed`, as any closed socket does.
    public func webSocket(
        _ target: String, _ options: WebSocketClientOptions = WebSocketClientOptions()
    ) async throws -> WebSocket {
        let address = try WebSocketAddress("ws://localhost\(target)")
        return try await WebSocketClient(group: group).open(address, options, on: try await connect())
    }

    /// A connection to the application that does not read yet.
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
        try await server.adopt(socket: ends.0)
        return try await bootstrap.withConnectedSocket(ends.1).get()
    }
}

/// Why a test's request has no answer.
public enum TestClientError: Error, Hashable {
    /// Nothing whole came within a minute.
    case timeout
    /// The server closed before its answer was whole; the octets that came.
    case incomplete(String)
    /// The server sent more than its answer; the octets behind it.
    case surplus(String)
    /// The response is larger than `TestClient.maxResponseSize` bytes.
    case tooLarge(limit: Int)
    /// The call of `App.test` that the client belongs to is over.
    case ended
    /// The system gave no pair of sockets.
    case noSocket(errno: Int32)
}

/// Gathers what comes until the peer closes.
private final class Collector: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<ByteBuffer>
    private let limit: Int
    private var gathered = ByteBuffer()
    private var isDone = false

    var whole: EventLoopFuture<ByteBuffer> { promise.futureResult }

    init(_ promise: EventLoopPromise<ByteBuffer>, limit: Int) {
        self.promise = promise
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        var buffer = unwrapInboundIn(data)
        guard gathered.readableBytes + buffer.readableBytes <= limit else {
            gathered = ByteBuffer()
            fail(TestClientError.tooLarge(limit: limit))
            return context.close(promise: nil)
        }
        gathered.writeBuffer(&buffer)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? ChannelEvent, event == .inputClosed { finish() }
    }

    func channelInactive(context: ChannelHandlerContext) { finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        promise.succeed(gathered)
    }

    func fail(_ error: any Error) {
        guard !isDone else { return }
        isDone = true
        promise.fail(error)
    }
}
