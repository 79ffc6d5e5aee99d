package import NIOCore

/// Counts events per second, the time being told.
package struct RateWindow: Sendable {
    private var start: NIODeadline = .uptimeNanoseconds(0)
    private var count = 0

    /// A window without events.
    package init() {}

    /// Counts an event at `now`; true when it is one more than `limit` in its second.
    package mutating func exceeds(_ limit: Int, at now: NIODeadline) -> Bool {
        if count == 0 || now - start >= .seconds(1) {
            start = now
            count = 0
        }
        count += 1
        return count > limit
    }
}
