public import HTTPKit
import HTTPTypes
import Logging
import NIOCore

extension HandshakeRejection: ResponseError {}

/// What serves a socket: a closure that runs until the socket closes, or callbacks.
package enum WebSocketService: Sendable {
    case closure(@Sendable (WebSocketConnection.Parts) async throws -> Void)
    case callbacks(any WebSocketHandler)
}

extension Request {
    /// Whether the request asks to become a WebSocket (RFC 6455 §4.1, RFC 8441 §5).
    public var isWebSocketRequest: Bool { asksForUpgrade(to: "websocket") }

    /// The response that upgrades this request to a WebSocket.
    ///
    /// - Throws: `HandshakeRejection`, for example 426 for another version or 403 for a foreign page; `HTTPFailure` (429)
    ///   above `WebSocketOptions.maxSocketsPerAddress`, or 400 for a request with a body.
    package func webSocketResponse(options: WebSocketOptions?, service: WebSocketService) throws -> Response {
        let options = options ?? webSocketDefaults.options
        return try webSocketResponse(try checkWebSocketRequest(options: options), options, service)
    }

    /// The same for a handshake that has been checked with these options.
    func webSocketResponse(
        _ acceptance: ServerHandshake.Acceptance, _ options: WebSocketOptions, _ service: WebSocketService
    ) throws -> Response {
        let defaults = webSocketDefaults
        let place = try options.admit(countedAddress)
        let request = compacted()
        let upgrade = Upgrade { upgraded in
            let opening = WebSocketOpening(
                request: request, acceptance: acceptance, options: options, topics: defaults.rooms,
                logger: defaults.logger,
                service: service, place: place)
            opening.open(upgraded)
        }
        return Response(upgrade: upgrade, fields: acceptance.fields)
    }

    /// Checks the handshake (RFC 6455 §4.2.1, RFC 8441 §5) and returns what to respond.
    ///
    /// - Throws: `HandshakeRejection`; `HTTPFailure` (400) for a request with a body; `OriginListError` for an invalid
    ///   origin in the options.
    package func checkWebSocketRequest(options: WebSocketOptions) throws -> ServerHandshake.Acceptance {
        try options.origin.check()
        let handshake = ServerHandshake(
            subprotocols: options.subprotocols, deflate: options.deflate, origin: options.origin)
        if method == .connect {
            return try handshake.acceptConnect(
                isForWebSocket: isWebSocketRequest, scheme: scheme, authority: authority, fields: fields.all)
        }
        let acceptance = try handshake.accept(
            method: method, isHTTP11: version == "HTTP/1.1", scheme: scheme, host: authority,
            fields: fields.all)
        guard body.isEmpty else { throw HTTPFailure(.badRequest, "a WebSocket request must not have a body") }
        return acceptance
    }
}

/// Replaces the HTTP handler by a `WebSocketConnection`.
private struct WebSocketOpening {
    let request: Request
    let acceptance: ServerHandshake.Acceptance
    let options: WebSocketOptions
    let topics: (any TopicDirectory)?
    let logger: Logger
    let service: WebSocketService
    let place: AddressCounter.Place?

    func open(_ upgraded: consuming UpgradedConnection) {
        let loop = upgraded.connection.loop
        let consumer: WebSocketConnection.Consumer
        var delivery = MessageAssembler.Delivery.whole
        switch service {
        case .closure:
            consumer = .task
            if options.deliversParts { delivery = .parts }
        case .callbacks(let handler): consumer = .callbacks(handler)
        }
        let machine = WebSocketMachine(
            role: .server, limits: options.sharedLimits, deflate: acceptance.deflate, mode: options.deflate,
            shared: SocketLoop.of(loop).codecs, delivery: delivery,
            now: NIODeadline(loop.now))
        let connection = WebSocketConnection(
            loop: loop, machine: machine,
            service: SocketService(
                limits: options.sharedLimits, consumer: consumer, topics: topics, logger: logger,
                route: request.pattern))
        connection.application.place = place
        do {
            let high = max(2, options.limits.sendBufferSize)
            try upgraded.channel.syncOptions?.setOption(
                .writeBufferWaterMark, value: .init(low: high / 2, high: high))
            try upgraded.channel.pipeline.syncOperations.addHandler(connection)
        } catch {
            place?.release()
            return upgraded.channel.close(promise: nil)
        }
        start(connection)
        if upgraded.unread.readableBytes > 0 { connection.receive(upgraded.unread) }
        if upgraded.isInputClosed { connection.inputClosed() }
        if let deadline = loop.drainDeadline { connection.drain(deadline: deadline) }
    }

    private func start(_ connection: WebSocketConnection) {
        let parts = WebSocketConnection.Parts(
            connection: connection, request: request, subprotocol: acceptance.subprotocol,
            isCompressed: acceptance.deflate != nil, remoteAddress: request.remoteAddress)
        switch service {
        case .callbacks(let handler):
            connection.loop.begin(connection)
            handler.onOpen(parts.openSocket())
        case .closure(let body):
            connection.run { try await body(parts) }
        }
    }
}

extension WebSocketConnection {
    /// Everything needed to create a socket.
    package struct Parts: Sendable {
        let connection: WebSocketConnection
        let request: Request?
        let subprotocol: String?
        let isCompressed: Bool
        let remoteAddress: SocketAddress?

        /// Creates a socket without state.
        package func openSocket() -> WebSocket {
            let socket = WebSocket(
                request: request, subprotocol: subprotocol, isCompressed: isCompressed,
                remoteAddress: remoteAddress,
                connection: connection)
            connection.application.socket = socket
            return socket
        }

        /// Creates a socket with the value that `admit` returned.
        package func openSocket<State: Sendable>(state: State) -> StatefulWebSocket<State> {
            let socket = StatefulWebSocket(
                state: state, request: request, subprotocol: subprotocol, isCompressed: isCompressed,
                remoteAddress: remoteAddress, connection: connection)
            connection.application.socket = socket
            return socket
        }
    }

    /// Runs the closure of a socket on the event loop, then closes: with 1000 if it returns, with 1011 if it throws.
    func run(_ body: @escaping @Sendable () async throws -> Void) {
        loop.begin(self)
        let task = Task.immediate(executorPreference: self) { [self] in
            application.servingTask = Self.currentTask
            var code = CloseCode.normal
            do {
                try await body()
            } catch {
                code = .internalError
                report(error)
            }
            await close(code, reason: "")
            application.task = nil
            application.servingTask = 0
        }
        if !input.inbox.isEnded { application.task = task }
    }

    // These are not inlined into the closure above. Its frame must stay small, so that the task of an idle socket needs
    // only one slab of 1 KiB.

    @inline(never)
    private static var currentTask: Int { withUnsafeCurrentTask { $0?.hashValue ?? 0 } }

    @inline(never)
    private func report(_ error: any Error) {
        // An error that the end of this socket caused is not a failure of the closure.
        let isEnd = error is CancellationError || error is WebSocketClosed
        guard !isEnd || (!isClosed && machine.isOpen) else { return }
        service.logger.error(
            "WebSocket handler failed", metadata: ["route": .clean(service.route), "error": .clean(error)])
    }
}
