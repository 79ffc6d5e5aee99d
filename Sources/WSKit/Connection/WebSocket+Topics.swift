/// Something that a socket belongs to until it ends: a set of sockets, or a subscription.
protocol Membership: AnyObject, Sendable {
    /// The connection has ended. Called once, on the connection's event loop.
    func connectionEnded(_ connection: WebSocketConnection)
}

/// Where an application keeps the topics that its sockets subscribe to.
///
/// `subscribe` and `unsubscribe` are called on the connection's event loop.
package protocol TopicDirectory: AnyObject, Sendable {
    func subscribe(
        _ connection: WebSocketConnection, _ socket: WebSocket, to topic: String,
        slowClients: SlowClientPolicy)
    func unsubscribe(_ connection: WebSocketConnection, _ socket: WebSocket, from topic: String)
    func publish(_ message: Message, to topic: String, except excluded: WebSocket?)
}

extension WebSocket {
    /// Subscribes to a topic of the application until the socket closes or unsubscribes.
    public final func subscribe(_ topic: String, slowClients: SlowClientPolicy = .drop) {
        guard let topics = connection.topics else { return }
        let policy = slowClients.checked
        connection.onLoop { connection in
            guard !connection.isClosed else { return }
            topics.subscribe(connection, self, to: topic, slowClients: policy)
        }
    }

    /// Ends a subscription.
    public final func unsubscribe(_ topic: String) {
        guard let topics = connection.topics else { return }
        connection.onLoop { connection in topics.unsubscribe(connection, self, from: topic) }
    }

    /// Publishes a message to a topic of the application, to all subscribers except this socket.
    public final func publish(_ message: Message, to topic: String) {
        connection.topics?.publish(message, to: topic, except: self)
    }
}
