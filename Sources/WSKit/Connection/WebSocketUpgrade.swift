public import HTTPKit
import HTTPTypes
package import Logging
import NIOCore

extension HandshakeRejection: ResponseError {}

/// What serves a socket: a closure that runs as long as the socket lives, or callbacks.
package enum WebSocketService: Sendable {
    case closure(@Sendable (WebSocketConnection.Parts) async throws -> Void)
    case callbacks(any WebSocketHandler)
}

extension Request {
    /// Whether the request asks to become a WebSocket (RFC 6455 §4.1).
    public var isWebSocketRequest: Bool {
        // Mostly there is no Upgrade at all, and then nothing is read.
        fields.contains(.upgrade) && ServerHandshake.isUpgradeRequest(fields.all)
    }

    /// The answer that turns this request into a WebSocket.
    ///
    /// - Throws: `HandshakeRejection`, an answer of its own: 426 for another version, 403 for a foreign page.
    package func webSocketResponse(
        options: WebSocketOptions, topics: (any TopicDirectory)?, logger: Logger, service: WebSocketService
    ) throws -> Response {
        let acceptance = try checkWebSocketRequest(options: options)
        let place = try options.admit(countedAddress)
        let request = compacted()
        let upgrade = Upgrade { upgraded in
            let opening = WebSocketOpening(
                request: request, acceptance: acceptance, options: options, topics: topics, logger: logger,
                service: service, place: place)
            opening.open(upgraded)
        }
        return Response(upgrade: upgrade, fields: acceptance.fields)
    }

    /// Checks the handshake (RFC 6455 §4.2.1) and makes the answer to it.
    ///
    /// - Throws: `HandshakeRejection`; `HTTPFailure` (400) for a request with content; `OriginListError` for a mistake
    ///   in the options.
    @discardableResult
    package func checkWebSocketRequest(options: WebSocketOptions) throws -> ServerHandshake.Acceptance {
        try options.origin.check()
        let handshake = ServerHandshake(
            subprotocols: options.subprotocols, deflate: options.deflate, origin: options.origin)
        let acceptance = try handshake.accept(
            method: method, isHTTP11: version == "HTTP/1.1", scheme: scheme, host: authority,
            fields: fields.all)
        guard body.isEmpty else { throw HTTPFailure(.badRequest, "a WebSocket request has no content") }
        return acceptance
    }
}

/// Puts a `WebSocketConnection` in the place of the HTTP handler.
private struct WebSocketOpening {
    let request: Request
    let acceptance: ServerHandshake.Acceptance
    let options: WebSocketOptions
    let topics: (any TopicDirectory)?
    let logger: Logger
    let service: WebSocketService
    let place: AddressCounter.Place?

    func open(_ upgraded: consuming UpgradedConnection) {
        let loop = request.connection.loop
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
            shared: SharedDeflate.shared(on: loop), delivery: delivery,
            now: NIODeadline(loop.now))
        let connection = WebSocketConnection(
            loop: loop, machine: machine, limits: options.sharedLimits, consumer: consumer, topics: topics,
            logger: logger,
            route: request.pattern)
        if let place { connection.onEnd = { place.release() } }
        do {
            let high = max(2, options.limits.sendBufferSize)
            try upgraded.channel.syncOptions?.setOption(
                .writeBufferWaterMark, value: .init(low: high / 2, high: high))
            try upgraded.channel.pipeline.syncOperations.addHandler(connection)
        } catch {
            connection.onEnd?()
            return upgraded.channel.close(promise: nil)
        }
        start(connection)
        if upgraded.unread.readableBytes > 0 { connection.receive(upgraded.unread) }
        if upgraded.isInputClosed { connection.inputClosed() }
        if let deadline = upgraded.drainDeadline { connection.drain(deadline: deadline) }
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
    /// What a socket is made of.
    package struct Parts: Sendable {
        let connection: WebSocketConnection
        let request: Request?
        let subprotocol: String?
        let isCompressed: Bool
        let remoteAddress: SocketAddress?

        /// A socket without a state of its own.
        package func openSocket() -> WebSocket {
            let socket = WebSocket(
                request: request, subprotocol: subprotocol, isCompressed: isCompressed,
                remoteAddress: remoteAddress,
                connection: connection)
            connection.socket = socket
            return socket
        }

        /// A socket with what `admit` has returned.
        package func openSocket<State: Sendable>(state: State) -> StatefulWebSocket<State> {
            let socket = StatefulWebSocket(
                state: state, request: request, subprotocol: subprotocol, isCompressed: isCompressed,
                remoteAddress: remoteAddress, connection: connection)
            connection.socket = socket
            return socket
        }
    }

    /// Runs the closure of a socket on this loop and closes behind it: 1000 when it returns, 1011 when it throws.
    func run(_ body: @escaping @Sendable () async throws -> Void) {
        loop.begin(self)
        let task = Task.immediate(executorPreference: self) { [self] in
            servingTask = Self.currentTask
            var code = CloseCode.normal
            do {
                try await body()
            } catch {
                code = .internalError
                report(error)
            }
            await close(code, reason: "")
            self.task = nil
            servingTask = 0
        }
        if !inbox.isEnded { self.task = task }
    }

    // What is not part of the closure above does not stand on its stack, of which each idle socket keeps a slab of
    // 1 KiB for as long as it fits.

    @inline(never)
    private static var currentTask: Int { withUnsafeCurrentTask { $0?.hashValue ?? 0 } }

    @inline(never)
    private func report(_ error: any Error) {
        // What the end of this very socket has made the closure throw is no failure of it.
        let isEnd = error is CancellationError || error is WebSocketClosed
        guard !isEnd || (!isClosed && machine.isOpen) else { return }
        logger.error("WebSocket handler failed", metadata: ["route": .clean(route), "error": .clean(error)])
    }
}

extension SharedDeflate {
    /// The codecs of a loop.
    static func shared(on loop: LoopContext) -> SharedDeflate {
        let key = ObjectIdentifier(SharedDeflate.self)
        if let known = loop.extensions[key] as? SharedDeflate { return known }
        let made = SharedDeflate()
        loop.extensions[key] = made
        return made
    }
}
