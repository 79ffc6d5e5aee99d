/// A token bucket. It is full at first, each action takes one token, and one token returns per interval.
struct RateLimiter: Sendable, Equatable {
    private let burst: Int
    private let interval: Duration
    /// When the bucket will be full again. A time in the past means that it is full now.
    private var fullAt: ContinuousClock.Instant?

    /// - Parameters:
    ///   - burst: how many actions are allowed at once.
    ///   - interval: how long one token takes to return.
    init(burst: Int, interval: Duration) {
        self.burst = burst
        self.interval = interval
    }

    /// Whether one more action is allowed now. If so, it takes a token.
    mutating func allows(at now: ContinuousClock.Instant) -> Bool {
        let start = max(fullAt ?? now, now)
        guard now.duration(to: start) <= interval * (burst - 1) else { return false }
        fullAt = start.advanced(by: interval)
        return true
    }

    /// Whether the bucket is full.
    func isFull(at now: ContinuousClock.Instant) -> Bool { fullAt.map { $0 <= now } ?? true }
}

/// A rate limiter for each key, up to a number of keys.
struct RateLimiters<Key: Hashable & Sendable>: Sendable {
    private let maxKeys: Int
    private let limiter: RateLimiter
    private var limiters: [Key: RateLimiter] = [:]
    private var nextSweep: ContinuousClock.Instant?

    /// - Parameters:
    ///   - maxKeys: how many keys are tracked. While all of them are active, other keys are not limited.
    ///   - limiter: the initial state for each key.
    init(maxKeys: Int, limiter: RateLimiter) {
        self.maxKeys = maxKeys
        self.limiter = limiter
    }

    /// How many keys are tracked.
    var count: Int { limiters.count }

    /// Whether one more action of this key is allowed now. If so, it takes a token.
    mutating func allows(_ key: Key, at now: ContinuousClock.Instant) -> Bool {
        if var known = limiters[key] {
            let isAllowed = known.allows(at: now)
            limiters[key] = known
            return isAllowed
        }
        if limiters.count >= maxKeys { sweep(at: now) }
        guard limiters.count < maxKeys else { return true }
        var new = limiter
        let isAllowed = new.allows(at: now)
        limiters[key] = new
        return isAllowed
    }

    /// Forgets keys whose bucket is full. It looks at all keys, so it runs at most once a second.
    private mutating func sweep(at now: ContinuousClock.Instant) {
        if let nextSweep, now < nextSweep { return }
        nextSweep = now.advanced(by: .seconds(1))
        limiters = limiters.filter { !$0.value.isFull(at: now) }
    }
}
