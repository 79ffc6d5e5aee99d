/// How fast a client sends a body, from its first byte on, counting only the time that a handler waits for it.
package struct BodyPace {
    package init() {}

    private var hasBegun = false
    private var waited: Int64 = 0
    private var since: LoopInstant?

    /// The handler begins to wait.
    package mutating func wanted(at now: LoopInstant) {
        if since == nil { since = now }
    }

    /// Content has come.
    package mutating func arrived(at now: LoopInstant) {
        stopWaiting(at: now)
        if !hasBegun {
            hasBegun = true
            waited = 0
        }
    }

    /// The handler waits no longer.
    package mutating func stopWaiting(at now: LoopInstant) {
        if let since { waited += max(0, now.milliseconds - since.milliseconds) }
        since = nil
    }

    /// Whether the client has been waited for longer than the grace period, since the first byte, and is slower than the
    /// least rate.
    package func isSlow(received: Int, now: LoopInstant, limits: HTTPLimits) -> Bool {
        let total = waited + (since.map { max(0, now.milliseconds - $0.milliseconds) } ?? 0)
        let elapsed = LoopInstant(milliseconds: total)
        guard hasBegun, limits.minBodyRate > 0,
            elapsed >= LoopInstant(milliseconds: 0).advanced(by: limits.bodyRateGracePeriod)
        else { return false }
        let (wanted, overflow) = Int(clamping: total / 1000).multipliedReportingOverflow(
            by: limits.minBodyRate)
        return overflow || received < wanted
    }
}
