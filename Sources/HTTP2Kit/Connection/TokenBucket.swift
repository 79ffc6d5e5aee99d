import HTTPKit

/// Bounds how often something may happen: `burst` times at a stretch, and `rate` times a second for ever.
struct TokenBucket {
    private let burst: Double
    private let rate: Double
    private var tokens: Double
    private var filled: LoopInstant

    init(burst: Int, rate: Int, now: LoopInstant) {
        self.burst = Double(max(0, burst))
        self.rate = Double(max(0, rate))
        tokens = self.burst
        filled = now
    }

    /// Takes one token; `false` if there is none.
    mutating func take(now: LoopInstant) -> Bool {
        if now > filled {
            let seconds = Double(now.milliseconds - filled.milliseconds) / 1000
            tokens = min(burst, tokens + seconds * rate)
            filled = now
        }
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
