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
    /// The client on NIO's own event loops.
    public static let shared = WebSocketClient()

    private let group: any EventLoopGroup
    private let logger: Logger
    private let contexts = Mutex<[ObjectIdentifier: LoopContext]>([:])

    /// A client on the event loops of `group`.
    public init(
        group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        logger: Logger = Logger(label: "WebSocketClient")
    ) {
        self.group = group
        self.logger = logger
    }

    // MARK: Connecting

    /// Opens a WebSocket with the shared client; the caller closes it.
    ///
    /// - Throws: as `open(_:_:)` does.
    public static func connect(
        to address: String, _ options: WebSocketClientOptions = WebSocketClientOptions()
    ) async throws -> WebSocket {
        try await shared.open(try WebSocketAddress(address), options)
    }

    /// Opens a WebSocket with the shared client and closes it behind `body`, also when the task is cancelled; a
    /// server that does not answer the close frame is waited for as long as `WSLimits.closeTimeout` says.
    public static func withConnection<Result>(
        to address: String, _ options: WebSocketClientOptions = WebSocketClientOptions(),
        _ body: (WebSocket) async throws -> Result
    ) async throws -> Result {
        let socket = try await connect(to: address, options)
        return try await shared.closing(socket, body)
    }

    /// Runs `body` and closes the socket behind it, also when the task is cancelled.
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

    /// Opens a WebSocket; the caller closes it.
    ///
    /// - Throws: `WebSocketConnectError` when the server or the proxy cannot be reached in time,
    ///   `ClientHandshakeError` when it answers otherwise (redirects are not followed), `HTTPError` when its answer
    ///   cannot be read, `CancellationError`.
    public func open(
        _ address: WebSocketAddress, _ options: WebSocketClientOptions = WebSocketClientOptions()
    ) async throws -> WebSocket {
        guard !address.isSecure else {
            throw WebSocketConnectError(
                address: address, reason: "wss needs TLS, which this product does not serve",
                isTransient: false)
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
            // However the attempt's end is told when it was cancelled.
            try Task.checkCancellation()
            throw WebSocketConnectError(address: address, reason: "\(error)")
        }
        return try await open(address, options, on: channel, deadline: deadline)
    }

    /// Opens a WebSocket over a channel that is connected already and does not read by itself yet.
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
            if let known = contexts[key] { return known }
            let made = LoopContext(eventLoop: eventLoop)
            contexts[key] = made
            return made
        }
    }
}

/// One attempt to connect, which may try several addresses of a name: its channels are closed when it is cancelled,
/// so that none goes on connecting for nobody.
private final class ConnectAttempt: Sendable {
    private struct State {
        var channels: [any Channel] = []
        var isCancelled = false
    }

    private let state = Mutex(State())

    /// Takes a channel that is about to connect.
    func add(_ channel: any Channel) -> EventLoopFuture<Void> {
        let isCancelled = state.withLock { state in
            if !state.isCancelled { state.channels.append(channel) }
            return state.isCancelled
        }
        guard isCancelled else { return channel.eventLoop.makeSucceededVoidFuture() }
        return channel.eventLoop.makeFailedFuture(CancellationError())
    }

    /// Waits for the channel that was connected; on cancellation no longer.
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

/// A server could not be reached.
public struct WebSocketConnectError: Error, CustomStringConvertible {
    /// The address that was asked for.
    public let address: WebSocketAddress
    /// What happened.
    public let reason: String
    /// Whether time may mend it: not when TLS is missing, or a proxy refuses.
    public let isTransient: Bool

    init(address: WebSocketAddress, reason: String, isTransient: Bool = true) {
        self.address = address
        self.reason = reason
        self.isTransient = isTransient
    }

    /// Address and reason.
    public var description: String { "cannot connect to \(address): \(reason)" }
}
