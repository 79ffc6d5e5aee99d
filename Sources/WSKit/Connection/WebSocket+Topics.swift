/// Something that a connection belongs to until it ends: a set of sockets, or a subscription.
protocol Membership: AnyObject, Sendable {
    /// Called once, on the connection's event loop, when the connection has ended.
    func connectionEnded(_ connection: WebSocketConnection)
}

/// The topics of an application to which its sockets can subscribe.
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
    /// Subscribes to a topic of the application until the socket unsubscribes or closes.
    ///
    /// Messages that are published after this returns reach the socket.
    ///
    /// - Parameters:
    ///   - topic: the name of the topic. A topic is the room with the same name.
    ///   - slowClients: what happens to messages for this socket while its send buffer is full.
    public final func subscribe(_ topic: String, slowClients: SlowClientPolicy = .default) async {
        guard let subscription = subscription(to: topic, slowClients) else { return }
        await connection.onLoopAsync(subscription)
    }

    /// Subscribes to a topic from code that cannot wait, such as a callback.
    ///
    /// On the socket's event loop, where callbacks run, messages that are published after this returns reach the socket.
    /// From elsewhere the subscription begins later, but before any later call of this thread on the socket takes effect.
    @available(*, noasync, message: "use await subscribe(_:slowClients:)")
    public final func subscribe(_ topic: String, slowClients: SlowClientPolicy = .default) {
        guard let subscription = subscription(to: topic, slowClients) else { return }
        connection.onLoop(subscription)
    }

    private final func subscription(
        to topic: String, _ slowClients: SlowClientPolicy
    ) -> (@Sendable (WebSocketConnection) -> Void)? {
        guard let topics = connection.service.topics else { return nil }
        let policy = slowClients.checked
        return { connection in
            guard !connection.isClosed else { return }
            topics.subscribe(connection, self, to: topic, slowClients: policy)
        }
    }

    /// Ends a subscription. What is already on its way to the socket still arrives.
    public final func unsubscribe(_ topic: String) {
        guard let topics = connection.service.topics else { return }
        connection.onLoop { connection in topics.unsubscribe(connection, self, from: topic) }
    }

    /// Publishes a message to all subscribers of a topic of the application, except for this socket.
    public final func publish(_ message: Message, to topic: String) {
        connection.service.topics?.publish(message, to: topic, except: self)
    }
}
