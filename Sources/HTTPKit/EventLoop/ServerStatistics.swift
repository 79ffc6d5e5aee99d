import Synchronization

/// What a server has counted over all its event loops.
public struct ServerStatistics: Sendable, Hashable {
    /// Connections that are open, upgraded ones too.
    public var connections = 0
    /// Upgraded connections that are open.
    public var sockets = 0
    /// Requests begun.
    public var requests = 0
    /// Requests that have not ended. It is counted only if swift-metrics has a backend.
    public var activeRequests = 0
    /// Bytes received.
    public var bytesIn = 0
    /// Bytes sent.
    public var bytesOut = 0
    /// Messages received by sockets.
    public var messagesIn = 0
    /// Messages sent by sockets.
    public var messagesOut = 0
    /// Messages that a slow client's policy dropped.
    public var messagesDropped = 0

    /// Nothing yet.
    public init() {}
}

/// What one loop has counted.
package struct LoopStatistics: Sendable {
    package var connections = 0
    package var requests = 0
    package var bytesIn = 0
    package var bytesOut = 0
}

/// What other modules count on a loop, such as the messages of its sockets: a value of a `LoopLocal`.
package protocol LoopCounters: AnyObject {
    func add(to statistics: inout ServerStatistics)
}

extension LoopContext {
    /// Adds everything that was counted on this loop.
    func addCounts(to sum: inout ServerStatistics) {
        sum.connections += statistics.connections
        sum.requests &+= statistics.requests
        sum.bytesIn &+= statistics.bytesIn
        sum.bytesOut &+= statistics.bytesOut
        for case let counters as any LoopCounters in locals.values { counters.add(to: &sum) }
    }

    /// Counts a connection in.
    func connectionOpened() {
        statistics.connections += 1
        openConnections.wrappingAdd(1, ordering: .relaxed)
    }

    /// Counts a connection out.
    func connectionClosed() {
        statistics.connections -= 1
        openConnections.wrappingSubtract(1, ordering: .relaxed)
    }

    // An access to a stored property from another module is checked for overlaps each time; a call is not.
    package func countReceived(bytes: Int) { statistics.bytesIn &+= bytes }
}
