extension WebSocket {
    /// Calls `body` once, on the event loop, when the connection has ended; at once if it has ended already.
    package final func onEnd(_ body: @escaping @Sendable () -> Void) {
        connection.onLoop { connection in
            guard !connection.isClosed else { return body() }
            connection.memberships.rooms.append(EndObserver(body))
        }
    }
}

/// Is told of the end of one connection.
private final class EndObserver: Membership {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func connectionEnded(_ connection: WebSocketConnection) { body() }
}
