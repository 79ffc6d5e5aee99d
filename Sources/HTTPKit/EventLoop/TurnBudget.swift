/// How long a turn of the loop may take, and whether it has.
struct TurnBudget {
    private let milliseconds: Int64
    /// Whether this turn has used up its budget: whoever has more to do gives way.
    private(set) var isSpent = false
    /// How many bytes were worked on since the last look at the clock.
    private var bytesSinceLook = 0

    private static let bytesPerLook = 64 << 10

    init(_ duration: Duration) {
        milliseconds = LoopInstant(milliseconds: 0).advanced(by: duration).milliseconds
    }

    mutating func begin() {
        isSpent = false
        bytesSinceLook = 0
    }

    /// Ends the turn early: something has been put off to a later one.
    mutating func giveUp() { isSpent = true }

    /// Counts work. Returns whether it is time to look at the clock.
    mutating func mustLook(afterBytes bytes: Int) -> Bool {
        bytesSinceLook &+= bytes
        guard bytesSinceLook >= Self.bytesPerLook else { return false }
        bytesSinceLook = 0
        return true
    }

    /// Whether `time` is over the budget of what began at `start`.
    func isOver(since start: LoopInstant, at time: LoopInstant) -> Bool {
        time.milliseconds &- start.milliseconds >= milliseconds
    }

    mutating func look(since start: LoopInstant, at time: LoopInstant) {
        if isOver(since: start, at: time) { isSpent = true }
    }
}
