public import HTTPTypes
public import NIOCore

/// A change of protocol that a response carries (RFC 9110 §7.8, RFC 8441 §4).
package struct Upgrade: Sendable {
    /// Takes the stream over, on its event loop, once the response to the request has been written and this module has left
    /// the pipeline.
    package let start: @Sendable (consuming UpgradedConnection) -> Void

    package init(start: @escaping @Sendable (consuming UpgradedConnection) -> Void) { self.start = start }
}

/// A connection that has changed its protocol, or a stream of one, with every byte that was read behind the request.
///
/// There is one owner: it is consumed by whoever goes on with it.
public struct UpgradedConnection: ~Copyable {
    /// The channel of the connection or stream. No handler of HTTP is left in its pipeline. On its event loop, add one of
    /// your own before `start` returns.
    public let channel: any Channel
    package let connection: ConnectionInfo
    /// What the client had already sent behind its request.
    public var unread: ByteBuffer
    /// Whether the client has already closed its side.
    public let isInputClosed: Bool

    package init(channel: any Channel, connection: ConnectionInfo, unread: ByteBuffer, isInputClosed: Bool) {
        self.channel = channel
        self.connection = connection
        self.unread = unread
        self.isInputClosed = isInputClosed
    }
}

extension Response {
    /// A response that changes the protocol of its connection or stream (RFC 9110 §7.8, RFC 8441 §5).
    ///
    /// It has the status 101, or 200 for an extended CONNECT. Middleware may take the change back by setting another
    /// status. A request with content, or of HTTP/1.0, gets 400 instead.
    ///
    /// When the server begins to shut down, the channel gets a `ChannelShouldQuiesceEvent`. If it is still open at the end
    /// of the drain, the server closes it.
    ///
    /// - Parameters:
    ///   - fields: The fields of the response. For HTTP/1.1 they must include Upgrade and Connection.
    ///   - start: Takes the connection over, on its event loop, once the response has been written.
    public static func upgrade(
        fields: HTTPFields, _ start: @escaping @Sendable (consuming UpgradedConnection) -> Void
    ) -> Response {
        let upgrade = Upgrade { upgraded in
            UpgradedMember.watch(upgraded.channel, on: upgraded.connection.loop)
            start(upgraded)
        }
        return Response(upgrade: upgrade, fields: fields)
    }
}

/// Tells a channel that speaks a protocol of the program's own that the server shuts down, and closes it at the end.
private final class UpgradedMember: LoopMember {
    var memberIndex = -1
    private let channel: any Channel
    private var deadline: LoopInstant?

    private init(channel: any Channel) { self.channel = channel }

    /// Watches `channel` until it closes. Called on its event loop.
    static func watch(_ channel: any Channel, on loop: LoopContext) {
        let member = UpgradedMember(channel: channel)
        loop.add(member)
        channel.closeFuture.assumeIsolated().whenComplete { _ in loop.remove(member) }
        if let deadline = loop.drainDeadline { member.drain(deadline: deadline) }
    }

    func tick(now: LoopInstant) {
        if let deadline, now >= deadline { channel.close(promise: nil) }
    }

    func drain(deadline: LoopInstant) {
        if self.deadline == nil {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        self.deadline = deadline
    }
}
