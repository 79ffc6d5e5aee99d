public import NIOCore

/// The subscribers of `/sub` on one event loop, and the publishing of `/bcast`.
///
/// `@unchecked Sendable`: its state is only accessed on its own loop.
public final class Topic: @unchecked Sendable {
    /// The event loop of this topic's subscribers.
    public let loop: any EventLoop
    private var members: [ObjectIdentifier: ChannelHandlerContext] = [:]

    init(loop: any EventLoop) { self.loop = loop }

    /// Adds a subscriber. Must be called on the loop.
    public func join(_ context: ChannelHandlerContext) {
        members[ObjectIdentifier(context)] = context
    }

    /// Removes a subscriber. Must be called on the loop.
    public func leave(_ context: ChannelHandlerContext) {
        members[ObjectIdentifier(context)] = nil
    }

    /// Writes the same prepared value to every subscriber, `count` times, 10 ms apart.
    public func broadcast(count: Int = 500, _ value: @escaping @Sendable () -> NIOAny) {
        let start = NIODeadline.now() + .milliseconds(10)
        for round in 0..<count {
            _ = loop.scheduleTask(deadline: start + .milliseconds(Int64(round) * 10)) {
                for context in self.members.values { context.writeAndFlush(value(), promise: nil) }
            }
        }
    }
}

/// One `Topic` per event loop of a group.
public struct Topics: Sendable {
    private let topics: [ObjectIdentifier: Topic]

    /// A topic for each loop of `group`.
    public init(group: some EventLoopGroup) {
        var topics: [ObjectIdentifier: Topic] = [:]
        for loop in group.makeIterator() { topics[ObjectIdentifier(loop)] = Topic(loop: loop) }
        self.topics = topics
    }

    /// The topic of one loop.
    public subscript(loop: any EventLoop) -> Topic? { topics[ObjectIdentifier(loop)] }

    /// Publishes `value` 500 times on every loop, 100 a second.
    public func broadcast(_ value: @escaping @Sendable () -> NIOAny) {
        for topic in topics.values { topic.loop.execute { topic.broadcast(value) } }
    }
}

/// The message that `/bcast` publishes: 100 bytes of text.
public let broadcastText = String(repeating: "0123456789", count: 10)
