#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A point on the monotonic clock, in milliseconds, as coarse as timeouts need.
package struct LoopInstant: Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Reads the coarse clock, which costs a few nanoseconds and is right to 4 ms.
    package static var now: LoopInstant {
        var time = timespec()
        #if os(Linux)
            clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        #else
            clock_gettime(CLOCK_MONOTONIC, &time)
        #endif
        return LoopInstant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Later than every point that a timeout can reach.
    package static let never = LoopInstant(milliseconds: .max)

    package static func < (left: LoopInstant, right: LoopInstant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The point that many milliseconds later; never past `never`.
    package func advanced(byMilliseconds duration: Int64) -> LoopInstant {
        let (sum, overflow) = milliseconds.addingReportingOverflow(max(0, duration))
        return overflow ? .never : LoopInstant(milliseconds: sum)
    }

    /// The point that much later; never before this one, never past `never`.
    package func advanced(by duration: Duration) -> LoopInstant {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = max(0, seconds).multipliedReportingOverflow(by: 1000)
        let (sum, carry) = milliseconds.addingReportingOverflow(whole)
        guard !overflow, !carry, sum < .max - 1000 else { return .never }
        return LoopInstant(milliseconds: sum + max(0, attoseconds) / 1_000_000_000_000_000)
    }
}
