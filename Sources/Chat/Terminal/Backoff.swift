/// How long to wait before the next attempt to connect: twice as long every time, half of it chance, so that a
/// restarted server is not met by everybody at once.
struct Backoff: Sendable {
    private let first: Duration
    private let longest: Duration
    private var next: Duration

    init(first: Duration = .milliseconds(500), longest: Duration = .seconds(30)) {
        self.first = first
        self.longest = longest
        next = first
    }

    /// The wait after one more failure.
    ///
    /// - Parameter chance: from 0 to 1.
    mutating func failed(chance: Double) -> Duration {
        let delay = next * (0.5 + min(max(chance, 0), 1) / 2)
        next = min(next * 2, longest)
        return delay
    }

    /// An attempt worked: the next failure waits briefly again.
    mutating func worked() { next = first }
}
