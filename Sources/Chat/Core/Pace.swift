/// A bucket of permissions: full at first, one is taken by every act, one comes back after every interval.
struct Pace: Sendable, Equatable {
    private let burst: Int
    private let interval: Duration
    /// The moment at which the bucket will be full again; the past means that it is full now.
    private var fullAt: ContinuousClock.Instant?

    /// - Parameters:
    ///   - burst: how many acts may come at once.
    ///   - interval: how long one permission takes to come back.
    init(burst: Int, interval: Duration) {
        self.burst = burst
        self.interval = interval
    }

    /// Whether one more act is allowed now; if so it is counted.
    mutating func allows(at now: ContinuousClock.Instant) -> Bool {
        let start = max(fullAt ?? now, now)
        guard now.duration(to: start) <= interval * (burst - 1) else { return false }
        fullAt = start.advanced(by: interval)
        return true
    }
}
