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

    /// Whether nothing is left of past acts.
    func isFull(at now: ContinuousClock.Instant) -> Bool { fullAt.map { $0 <= now } ?? true }
}

/// A pace for each of many, as many as are kept in mind.
struct Paces<Key: Hashable & Sendable>: Sendable {
    private let most: Int
    private let pace: Pace
    private var paces: [Key: Pace] = [:]
    private var nextSweep: ContinuousClock.Instant?

    /// - Parameters:
    ///   - most: how many are kept in mind; while all of these are busy, others are not paced.
    ///   - pace: what each begins with.
    init(most: Int, pace: Pace) {
        self.most = most
        self.pace = pace
    }

    /// How many are kept in mind.
    var count: Int { paces.count }

    /// Whether one more act of this one is allowed now; if so it is counted.
    mutating func allows(_ key: Key, at now: ContinuousClock.Instant) -> Bool {
        if var known = paces[key] {
            let isAllowed = known.allows(at: now)
            paces[key] = known
            return isAllowed
        }
        if paces.count >= most { sweep(at: now) }
        guard paces.count < most else { return true }
        var new = pace
        let isAllowed = new.allows(at: now)
        paces[key] = new
        return isAllowed
    }

    /// Forgets those who have been quiet; not more often than once a second, since it looks at all of them.
    private mutating func sweep(at now: ContinuousClock.Instant) {
        if let nextSweep, now < nextSweep { return }
        nextSweep = now.advanced(by: .seconds(1))
        paces = paces.filter { !$0.value.isFull(at: now) }
    }
}
