public import HTTPKit
import Logging
public import WSKit

/// The joint between routes and sockets: one declares them side by side, on one port.
///
/// Without options of its own a socket has the application's `webSocketOptions`, in groups too.
extension RouteBuilder {
    /// A socket at `path`, served by a closure: the socket lives as long as it runs.
    public func webSocket(
        _ path: String, _ options: WebSocketOptions? = nil,
        handler: @escaping @Sendable (WebSocket) async throws -> Void
    ) {
        endpoint(path, options) { _ in .closure { parts in try await handler(parts.openSocket()) } }
    }

    /// A socket at `path` that is let in by `admit`, before the handshake is answered: what it throws is an HTTP
    /// answer, what it returns is the socket's `state`.
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

    /// A socket at `path`, served by callbacks: no task per connection.
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
        get(path) { request in
            // The handshake is checked first, so that `admit` runs for what can become a socket only.
            let options = options ?? request.app?.webSocketOptions ?? WebSocketOptions()
            try request.checkWebSocketRequest(options: options)
            return try request.openWebSocket(options, try await service(request))
        }
    }
}

extension Request {
    /// Turns this request into a WebSocket that `handler` serves: the socket lives as long as it runs.
    ///
    /// ```swift
    /// app.get("/echo") { request in
    ///     guard request.isWebSocketRequest else { return .badRequest("a WebSocket endpoint") }
    ///     return try request.acceptWebSocketRequest { socket in
    ///         for try await message in socket.messages { try await socket.send(message) }
    ///     }
    /// }
    /// ```
    /// - Throws: `HandshakeRejection`, an answer of its own, when a rule of the handshake is broken (RFC 6455 §4.2).
    public func acceptWebSocketRequest(
        _ options: WebSocketOptions? = nil, handler: @escaping @Sendable (WebSocket) async throws -> Void
    ) throws -> Response {
        try openWebSocket(options, .closure { parts in try await handler(parts.openSocket()) })
    }

    /// Turns this request into a WebSocket served by callbacks.
    ///
    /// - Throws: `HandshakeRejection`.
    public func acceptWebSocketRequest(
        _ options: WebSocketOptions? = nil, _ handler: some WebSocketHandler
    ) throws -> Response {
        try openWebSocket(options, .callbacks(handler))
    }

    fileprivate func openWebSocket(_ options: WebSocketOptions?, _ service: WebSocketService) throws
        -> Response
    {
        try webSocketResponse(
            options: options ?? app?.webSocketOptions ?? WebSocketOptions(), topics: app?.rooms,
            logger: app?.logger ?? Logger(label: "OnePort"), service: service)
    }
}
