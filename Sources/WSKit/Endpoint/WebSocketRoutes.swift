public import HTTPKit

/// WebSocket endpoints, declared next to routes and served on the same port.
///
/// A client opens one by GET with `Upgrade: websocket` (RFC 6455). A page may be declared at the same path by `get`.
/// Endpoints declared without options have those of `WebSocketDefaults`, which are the application's `webSocketOptions` in
/// OnePort.
extension RouteBuilder {
    /// Declares a WebSocket endpoint that a closure serves. The socket is open while the closure runs.
    public func webSocket(
        _ path: String, _ options: WebSocketOptions? = nil,
        handler: @escaping @Sendable (WebSocket) async throws -> Void
    ) {
        endpoint(path, options) { _ in .closure { parts in try await handler(parts.openSocket()) } }
    }

    /// Declares a WebSocket endpoint whose clients `admit` accepts or rejects before the handshake completes. An error that
    /// it throws becomes the HTTP response. The value that it returns is the socket's `state`.
    public func webSocket<State: Sendable>(
        _ path: String, _ options: WebSocketOptions? = nil,
        admit: @escaping @Sendable (Request) async throws -> State,
        handler: @escaping @Sendable (StatefulWebSocket<State>) async throws -> Void
    ) {
        endpoint(path, options) { request in
            let state = try await admit(request)
            return .closure { parts in try await handler(parts.openSocket(state: state)) }
        }
    }

    /// Declares a WebSocket endpoint that callbacks serve, without a task per connection.
    public func webSocket(
        _ path: String, _ options: WebSocketOptions? = nil, _ handler: some WebSocketHandler
    ) {
        endpoint(path, options) { _ in .callbacks(handler) }
    }

    private func endpoint(
        _ path: String, _ options: WebSocketOptions?,
        _ service: @escaping @Sendable (Request) async throws -> WebSocketService
    ) {
        do throws(OriginListError) {
            try options?.origin.check()
        } catch {
            routes.table.report(error)
        }
        upgrade(path, to: "websocket") { request in
            // The handshake is checked first, so that `admit` runs only for valid handshakes.
            let options = options ?? request.webSocketDefaults.options
            let acceptance = try request.checkWebSocketRequest(options: options)
            return try request.webSocketResponse(acceptance, options, try await service(request))
        }
    }
}

extension Request {
    /// Upgrades this request to a WebSocket that `handler` serves. The socket is open while the handler runs.
    ///
    /// ```swift
    /// app.get("/echo") { request in
    ///     guard request.isWebSocketRequest else { return .badRequest("a WebSocket endpoint") }
    ///     return try request.acceptWebSocketRequest { socket in
    ///         for try await message in socket.messages { try await socket.send(message) }
    ///     }
    /// }
    /// ```
    /// - Throws: `HandshakeRejection`, which has its own response, if the handshake is invalid (RFC 6455 §4.2).
    public func acceptWebSocketRequest(
        _ options: WebSocketOptions? = nil, handler: @escaping @Sendable (WebSocket) async throws -> Void
    ) throws -> Response {
        try webSocketResponse(
            options: options, service: .closure { parts in try await handler(parts.openSocket()) })
    }

    /// Upgrades this request to a WebSocket that callbacks serve.
    ///
    /// - Throws: `HandshakeRejection` if the handshake is invalid.
    public func acceptWebSocketRequest(
        _ options: WebSocketOptions? = nil, _ handler: some WebSocketHandler
    ) throws -> Response {
        try webSocketResponse(options: options, service: .callbacks(handler))
    }
}
