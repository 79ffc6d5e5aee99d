/// Finds the code that holds an event loop: it knows whose code runs, and since when.
struct Watchdog {
    /// Called with the label of the handler that held the loop longer than `threshold`.
    var report: (@Sendable (_ milliseconds: Int64, _ route: String) -> Void)?
    /// Whose code runs, or has run last in this turn.
    private var owner: (any LoopWork)?
    private var began = LoopInstant.now

    private static let threshold: Int64 = 100

    /// Whether somebody's code runs.
    var isWatching: Bool { owner != nil }

    func isWatching(_ work: any LoopWork) -> Bool { owner === work }

    mutating func beginTurn(at time: LoopInstant) { began = time }

    mutating func begin(_ work: any LoopWork) { owner = work }

    /// A unit of work of the owner is done: it is reported when it has held the loop.
    mutating func endUnit(at time: LoopInstant) {
        let held = time.milliseconds &- began.milliseconds
        began = time
        if held > Self.threshold { report?(held, owner?.label ?? "") }
    }

    mutating func endOwner() { owner = nil }
}
