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
    ///
    /// When it returns, the socket receives what is published.
    ///
    /// - Parameters:
    ///   - topic: the name of the topic. Topics and rooms share their names.
    ///   - slowClients: what happens to messages for this socket while its send buffer is full.
    public final func subscribe(_ topic: String, slowClients: SlowClientPolicy = .default) async {
        guard let subscription = subscription(to: topic, slowClients) else { return }
        await connection.onLoopAsync(subscription)
    }

    /// Subscribes to a topic, from code that cannot wait, such as a callback.
    ///
    /// On the socket's event loop, where callbacks run, the subscription holds when it returns. From elsewhere it begins
    /// shortly after, ahead of everything that the caller asks of the socket later.
    @available(*, noasync, message: "use await subscribe(_:slowClients:)")
    public final func subscribe(_ topic: String, slowClients: SlowClientPolicy = .default) {
        guard let subscription = subscription(to: topic, slowClients) else { return }
        connection.onLoop(subscription)
    }

    private final func subscription(
        to topic: String, _ slowClients: SlowClientPolicy
    ) -> (@Sendable (WebSocketConnection) -> Void)? {
        guard let topics = connection.topics else { return nil }
        let policy = slowClients.checked
        return { connection in
            guard !connection.isClosed else { return }
            topics.subscribe(connection, self, to: topic, slowClients: policy)
        }
    }

    /// Ends a subscription. What is already on its way to the socket still arrives.
    public final func unsubscribe(_ topic: String) {
        guard let topics = connection.topics else { return }
        connection.onLoop { connection in topics.unsubscribe(connection, self, from: topic) }
    }

    /// Publishes a message to a topic of the application, to all subscribers except this socket.
    public final func publish(_ message: Message, to topic: String) {
        connection.topics?.publish(message, to: topic, except: self)
    }
}
