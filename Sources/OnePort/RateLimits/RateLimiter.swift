import Synchronization

/// The buckets of many keys, up to a bound.
///
/// Buckets that are full again are dropped first. If there are too many others, the fullest sixteenth is dropped: a flood of
/// new keys frees those that have used little, and never those at their limit.
final class RateLimiter<Key: Hashable & Sendable>: Sendable {
    let limit: RateLimit
    let maxKeys: Int
    private let buckets = Mutex<[Key: TokenBucket]>([:])

    init(_ limit: RateLimit, maxKeys: Int) {
        self.limit = limit
        self.maxKeys = max(1, maxKeys)
    }

    /// How many buckets there are.
    var count: Int { buckets.withLock { $0.count } }

    func take(_ key: Key, now: ContinuousClock.Instant) -> TokenBucket.Decision {
        buckets.withLock { buckets in
            if let known = buckets[key] {
                var bucket = known
                let decision = bucket.take(limit, now: now)
                buckets[key] = bucket
                return decision
            }
            if buckets.count >= maxKeys { makeRoom(in: &buckets, now) }
            var bucket = TokenBucket(now: now)
            let decision = bucket.take(limit, now: now)
            buckets[key] = bucket
            return decision
        }
    }

    private func makeRoom(in buckets: inout [Key: TokenBucket], _ now: ContinuousClock.Instant) {
        buckets = buckets.filter { $0.value.fullAt > now }
        // Room for a sixteenth, so that not every new key sweeps.
        let surplus = buckets.count - (maxKeys - maxKeys / 16 - 1)
        guard surplus > 0 else { return }
        for (key, _) in buckets.sorted(by: { $0.value.fullAt < $1.value.fullAt }).prefix(surplus) {
            buckets.removeValue(forKey: key)
        }
    }
}
