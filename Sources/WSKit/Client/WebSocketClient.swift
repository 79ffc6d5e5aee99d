import HTTPKit
import HTTPTypes
public import Logging
public import NIOCore
public import NIOPosix
import Synchronization

/// Opens WebSockets to servers (RFC 6455 §4.1).
///
/// ```swift
/// try await WebSocketClient.withConnection(to: "ws://localhost:8080/echo") { socket in
///     try await socket.send("hello")
///     for try await text in socket.texts { print(text) }
/// }
/// ```
public final class WebSocketClient: Sendable {
    /// The shared client, which uses NIO's singleton event loop group.
    public static let shared = WebSocketClient()

    private let group: any EventLoopGroup
    private let logger: Logger
    private let contexts = Mutex<[ObjectIdentifier: LoopContext]>([:])

    /// Creates a client that uses the event loops of `group`.
    public init(
        group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        logger: Logger = Logger(label: "WebSocketClient")
    ) {
        self.group = group
        self.logger = logger
    }

    // MARK: Connecting

    /// Opens a WebSocket with the shared client. The caller must close it.
    ///
    /// - Throws: the errors of `open(_:_:)`, `WebSocketAddressError`.
    public static func connect(
        to address: String, _ options: WebSocketClientOptions = WebSocketClientOptions()
    ) async throws -> WebSocket {
        try await shared.open(try WebSocketAddress(address), options)
    }

    /// Opens a WebSocket with the shared client, runs `body`, and closes the socket, also when the task is cancelled. It
    /// waits for the server's close frame for at most `WSLimits.closeTimeout`.
    public static func withConnection<Result>(
        to address: String, _ options: WebSocketClientOptions = WebSocketClientOptions(),
        _ body: (WebSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try await connect(to: address, options)
        return try await shared.closing(socket, body)
    }

    /// Runs `body`, then closes the socket, also when the task is cancelled.
    func closing<Result>(
        _ socket: WebSocket, _ body: (WebSocket) async throws -> Result
    ) async throws -> Result {
        try await withTaskCancellationHandler {
            do {
                let result = try await body(socket)
                await socket.close()
                return result
            } catch {
                await socket.connection.close(.goingAway, reason: "")
                throw error
            }
        } onCancel: {
            socket.connection.onLoop { $0.startClose(.goingAway, reason: "") }
        }
    }

    /// Opens a WebSocket. The caller must close it.
    ///
    /// - Throws: `WebSocketConnectError` if the server or the proxy cannot be reached in time, `ClientHandshakeError` if the
    ///   server does not accept the handshake (redirects are not followed), `HTTPError` if its response is malformed,
    ///   `CancellationError`. With OnePortTLS, `ServerIdentityError` if the server's certificate is not accepted, and
    ///   `TLSError` if the client's own files are not valid.
    public func open(
        _ address: WebSocketAddress, _ options: WebSocketClientOptions = WebSocketClientOptions()
    ) async throws -> WebSocket {
        if address.isSecure {
            guard let security = options.security else {
                throw WebSocketConnectError(
                    address: address,
                    reason: "wss needs TLS: add the product OnePortTLS and set the option tls",
                    isTransient: false)
            }
            try await security.prepare()
        }
        let eventLoop = group.next()
        let timeout = TimeAmount(options.connectTimeout)
        let deadline = NIODeadline.now() + timeout
        let attempt = ConnectAttempt()
        let connecting = ClientBootstrap(group: eventLoop)
            .channelInitializer { attempt.add($0) }
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: false)
            .channelOption(.writeBufferWaterMark, value: Self.waterMark(options.limits))
            .connectTimeout(timeout)
            .connect(host: options.proxy?.host ?? address.host, port: options.proxy?.port ?? address.port)
        let channel: any Channel
        do {
            channel = try await attempt.wait(for: connecting, on: eventLoop)
        } catch {
            // Cancellation may fail the attempt with any error.
            try Task.checkCancellation()
            throw WebSocketConnectError(address: address, reason: "\(error)")
        }
        return try await open(address, options, on: channel, deadline: deadline)
    }

    /// Opens a WebSocket over a channel that is already connected. Its `autoRead` option must be off.
    package func open(
        _ address: WebSocketAddress, _ options: WebSocketClientOptions, on channel: any Channel,
        deadline: NIODeadline? = nil
    ) async throws -> WebSocket {
        let remaining = deadline.map { $0 - .now() } ?? TimeAmount(options.connectTimeout)
        let handshake = HandshakeHandler(
            address: address, options: options, loop: context(of: channel.eventLoop), logger: logger,
            remaining: remaining)
        return try await withTaskCancellationHandler {
            let opened = channel.eventLoop.flatSubmit { () -> EventLoopFuture<WebSocket> in
                do {
                    try channel.pipeline.syncOperations.addHandler(handshake)
                } catch {
                    return channel.eventLoop.makeFailedFuture(error)
                }
                return handshake.begin(channel)
            }
            do {
                return try await opened.get()
            } catch {
                channel.close(promise: nil)
                if Task.isCancelled { throw CancellationError() }
                throw error
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }

    private static func waterMark(_ limits: WSLimits) -> ChannelOptions.Types.WriteBufferWaterMark {
        let high = max(2, limits.sendBufferSize)
        return .init(low: high / 2, high: high)
    }

    private func context(of eventLoop: any EventLoop) -> LoopContext {
        contexts.withLock { contexts in
            let key = ObjectIdentifier(eventLoop)
            if let existing = contexts[key] { return existing }
            let created = LoopContext(eventLoop: eventLoop)
            contexts[key] = created
            return created
        }
    }
}

/// One attempt to connect, which may try several addresses of a host name. When it is cancelled, it closes its channels,
/// so that none continues to connect.
private final class ConnectAttempt: Sendable {
    private struct State {
        var channels: [any Channel] = []
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// Adds a channel that is about to connect.
    func add(_ channel: any Channel) -> EventLoopFuture<Void> {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.channels.append(channel) }
            return state.isCancelled
        }
        guard isCancelled else { return channel.eventLoop.makeSucceededVoidFuture() }
        return channel.eventLoop.makeFailedFuture(CancellationError())
    }

    /// Waits for the connected channel. Throws at once on cancellation.
    func wait(
        for connecting: EventLoopFuture<any Channel>, on eventLoop: any EventLoop
    ) async throws -> any Channel {
        let promise = eventLoop.makePromise(of: (any Channel).self)
        connecting.cascade(to: promise)
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            let channels = state.withLock { state in
                state.isCancelled = true
                return state.channels
            }
            for channel in channels { channel.close(promise: nil) }
        }
    }
}

/// Thrown when a server cannot be reached.
public struct WebSocketConnectError: Error, CustomStringConvertible {
    /// The address of the server.
    public let address: WebSocketAddress
    /// What happened.
    public let reason: String
    /// Whether the problem may go away. It does not if `wss://` is asked for without the option `tls`, or
    /// if a proxy rejects the connection.
    public let isTransient: Bool

    init(address: WebSocketAddress, reason: String, isTransient: Bool = true) {
        self.address = address
        self.reason = reason
        self.isTransient = isTransient
    }

    /// A description with address and reason.
    public var description: String { "cannot connect to \(address): \(reason)" }
}
