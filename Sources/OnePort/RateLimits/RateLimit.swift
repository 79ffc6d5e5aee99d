/// How often something may happen: `burst` times at once, and `count` times per `period` in the long run (token bucket).
public struct RateLimit: Sendable, Hashable {
    /// How often per period.
    public let count: Int
    /// The period.
    public let period: Duration
    /// How often at once.
    public let burst: Int

    /// A limit, such as `RateLimit(100, per: .seconds(60))`.
    ///
    /// - Parameters:
    ///   - count: how often per period, at least 1.
    ///   - period: the period, from a microsecond to a year.
    ///   - burst: how often at once, from 1 to a million; as `count` by default.
    public init(_ count: Int, per period: Duration, burst: Int? = nil) {
        self.count = min(max(1, count), Self.most)
        self.period = min(max(.microseconds(1), period), .seconds(365 * 24 * 3600))
        self.burst = min(max(1, burst ?? count), Self.most)
    }

    private static let most = 1_000_000

    /// The time for one more.
    var interval: Duration { period / count }
}

/// The state of one limit: when the bucket will be full again. A bucket that is full needs no state.
struct TokenBucket: Sendable, Hashable {
    private(set) var fullAt: ContinuousClock.Instant

    /// A full bucket.
    init(now: ContinuousClock.Instant) { fullAt = now }

    /// What a bucket says to one request.
    struct Decision: Sendable, Equatable {
        let isAllowed: Bool
        /// How many more may follow at once.
        let remaining: Int
        /// When the bucket is full again.
        let fullIn: Duration
        /// When the next one is allowed; zero if it is now.
        let retryIn: Duration
    }

    /// Takes one token if there is one.
    mutating func take(_ limit: RateLimit, now: ContinuousClock.Instant) -> Decision {
        let interval = limit.interval
        let size = interval * limit.burst
        let waiting = max(.zero, now.duration(to: fullAt))
        guard waiting + interval <= size else {
            return Decision(
                isAllowed: false, remaining: 0, fullIn: waiting, retryIn: waiting + interval - size)
        }
        let used = waiting + interval
        fullAt = now.advanced(by: used)
        // Rounded, because the quotient is a floating-point number.
        let remaining = Int(((size - used) / interval + 0.001).rounded(.down))
        let retryIn = remaining > 0 ? Duration.zero : used + interval - size
        return Decision(isAllowed: true, remaining: remaining, fullIn: used, retryIn: retryIn)
    }
}
