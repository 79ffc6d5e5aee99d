/// What a transport sees, tick by tick, of a peer that does not take all that it is sent. There is none while nothing
/// waits, so an idle connection has no memory for it.
package final class WriteProgress {
    /// How slow a peer may be.
    package struct Limits: Sendable {
        /// How long a peer may take nothing while bytes wait for it.
        let timeout: Duration
        /// Whether that counts only while the channel is full.
        let countsFullOnly: Bool
        /// How many bytes a second a peer must take; 0 for any number.
        let rate: Int
        /// How much longer it may take than at that rate.
        let grace: Duration

        package init(timeout: Duration, countsFullOnly: Bool = false, rate: Int, grace: Duration) {
            self.timeout = timeout
            self.countsFullOnly = countsFullOnly
            self.rate = rate
            self.grace = grace
        }
    }

    /// Why a connection is to be broken off.
    package enum Fault {
        /// The peer takes nothing.
        case stalled
        /// The peer takes too little.
        case slow
        /// The file that is sent has become shorter than announced.
        case fileTooShort
    }

    /// How much the peer had taken at the last look, and since when it has taken nothing more.
    private var taken: (bytes: Int, since: LoopInstant)
    /// How much had been handed over at the last look.
    private var expected: Int
    private var pace = TakingPace()

    package init(handedOver: Int, unsent: Int, now: LoopInstant) {
        taken = (handedOver &- unsent, now)
        expected = handedOver
    }

    /// Looks at a peer for which `unsent` bytes wait.
    package func look(handedOver: Int, unsent: Int, isFull: Bool, now: LoopInstant, limits: Limits) -> Fault?
    {
        let isSlow = pace.isSlow(
            added: handedOver &- expected, unsent: unsent, now: now, rate: limits.rate, grace: limits.grace)
        expected = handedOver
        let takenNow = handedOver &- unsent
        if takenNow != taken.bytes || (limits.countsFullOnly && !isFull) {
            taken = (takenNow, now)
        } else if now >= taken.since.advanced(by: limits.timeout) {
            return .stalled
        }
        return isSlow ? .slow : nil
    }
}

/// By when a peer is to have taken what waits for it.
package struct TakingPace: Sendable {
    private var due: LoopInstant?

    /// Nothing waits yet.
    package init() {}

    /// Whether bytes wait that should have been taken by now at `rate`, in bytes per second.
    ///
    /// What waits is given its time as a whole, and what comes behind it adds its own: the kernel takes bytes in
    /// bursts, many seconds apart when a peer is slow, so that a rate over a few seconds would say nothing.
    ///
    /// - Parameters:
    ///   - added: how much was handed to the transport since the last look.
    ///   - unsent: how much waits there.
    ///   - grace: how much longer than at `rate` it may take.
    package mutating func isSlow(
        added: Int, unsent: Int, now: LoopInstant, rate: Int, grace: Duration
    ) -> Bool {
        guard unsent > 0, rate > 0 else {
            due = nil
            return false
        }
        func time(for bytes: Int) -> Int64 {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: 1000)
            return overflow ? .max : Int64(product / rate)
        }
        // Who was faster than need be has gained nothing by it for what comes later.
        let latest = now.advanced(by: grace).advanced(byMilliseconds: time(for: unsent))
        let due = due.map { min($0.advanced(byMilliseconds: time(for: added)), latest) } ?? latest
        self.due = due
        return now >= due
    }
}
