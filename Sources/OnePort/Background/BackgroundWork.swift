import Logging

/// Work that runs beside the application.
struct BackgroundWork: Sendable {
    let name: String
    /// Runs until it is done, or until its task is cancelled.
    let run: @Sendable (Logger) async -> Void
}

/// The pause before work that has failed starts again.
struct RestartPause {
    static let shortest = Duration.seconds(1)
    static let longest = Duration.seconds(60)

    private var upcoming = shortest

    /// The pause: twice as long as the last one, unless the work has lasted for longer than the longest pause.
    mutating func next(after lasted: Duration) -> Duration {
        if lasted > Self.longest { upcoming = Self.shortest }
        defer { upcoming = min(upcoming * 2, Self.longest) }
        return upcoming
    }
}
