/// What a server has counted over all its event loops.
public struct ServerStatistics: Sendable, Hashable {
    /// Connections that are open, upgraded ones too.
    public var connections = 0
    /// Upgraded connections that are open.
    public var sockets = 0
    /// Requests begun.
    public var requests = 0
    /// Octets received and sent.
    public var bytesIn = 0
    /// Octets sent.
    public var bytesOut = 0
    /// Messages received by sockets.
    public var messagesIn = 0
    /// Messages sent by sockets.
    public var messagesOut = 0
    /// Messages that a slow client's policy dropped.
    public var messagesDropped = 0

    /// Nothing yet.
    public init() {}

    mutating func add(_ part: LoopStatistics) {
        connections += part.connections
        sockets += part.sockets
        requests &+= part.requests
        bytesIn &+= part.bytesIn
        bytesOut &+= part.bytesOut
        messagesIn &+= part.messagesIn
        messagesOut &+= part.messagesOut
        messagesDropped &+= part.messagesDropped
    }
}
