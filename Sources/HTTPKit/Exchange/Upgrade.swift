package import NIOCore

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
package struct UpgradedConnection: ~Copyable {
    package let channel: any Channel
    package let connection: ConnectionInfo
    /// What the client had sent behind the head already.
    package var unread: ByteBuffer
    /// The client has already closed its side.
    package let isInputClosed: Bool

    package init(channel: any Channel, connection: ConnectionInfo, unread: ByteBuffer, isInputClosed: Bool) {
        self.channel = channel
        self.connection = connection
        self.unread = unread
        self.isInputClosed = isInputClosed
    }
}
