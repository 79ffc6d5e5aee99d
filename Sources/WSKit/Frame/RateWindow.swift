package import NIOCore

/// Counts events per second. Callers pass the time in.
package struct RateWindow: Sendable {
    private var start: NIODeadline = .uptimeNanoseconds(0)
    private var count = 0

    /// Creates a window without events.
    package init() {}

    /// Counts an event at `now`. Returns whether there were more than `limit` events within the second.
    package mutating func exceeds(_ limit: Int, at now: NIODeadline) -> Bool {
        if count == 0 || now - start >= .seconds(1) {
            start = now
            count = 0
        }
        count += 1
        return count > limit
    }
}
