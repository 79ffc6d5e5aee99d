import HTTPKit
import Logging
import Synchronization

extension App {
    /// Runs work beside the application: it starts when the application accepts connections, and ends with it.
    ///
    /// ```swift
    /// app.background("feed") { try await feed.run() }
    /// ```
    ///
    /// If the work throws, the error is logged, and the work starts again after a pause: a second at first, and up to a
    /// minute if it fails again and again. If it returns, it is done.
    ///
    /// When the application shuts down, `gracefulShutdown()` and `cancelWhenGracefulShutdown` of ServiceLifecycle work in
    /// it. When the last request has ended, or `--drain` is over, its task is cancelled, and the application waits for it for
    /// at most `backgroundGracePeriod`.
    ///
    /// It does not run in `test`.
    ///
    /// - Parameters:
    ///   - name: Its name in the log.
    ///   - clock: Measures the pauses.
    ///   - work: What it does. It runs on no event loop in particular.
    public func background(
        _ name: String, clock: some Clock<Duration> = ContinuousClock(),
        _ work: @escaping @Sendable () async throws -> Void
    ) {
        add(
            BackgroundWork(name: name) { logger in
                var pause = RestartPause()
                while !Task.isCancelled {
                    let start = clock.now
                    do {
                        return try await work()
                    } catch {
                        log(error, of: name, to: logger)
                    }
                    let next = pause.next(after: start.duration(to: clock.now))
                    guard !Task.isCancelled, (try? await clock.sleep(for: next)) != nil else { return }
                }
            })
    }

    /// Runs work again and again while the application runs: first when `interval` has passed, then at every further one. If
    /// it takes longer than the interval, the runs that it misses are left out; it never runs twice at the same time.
    ///
    /// ```swift
    /// app.every(.seconds(60)) { try await sessions.removeExpired() }
    /// ```
    ///
    /// An error is logged, and the next run comes at its time. When the application shuts down, no run begins any more, and
    /// the one under way ends as work of `background(_:_:)` does. It does not run in `test`.
    ///
    /// - Parameters:
    ///   - interval: The time from the start of a run to the start of the next one, at least a millisecond.
    ///   - name: Its name in the log.
    ///   - clock: Measures the interval.
    ///   - work: What it does. It runs on no event loop in particular.
    public func every(
        _ interval: Duration, _ name: String = "repeated work",
        clock: some Clock<Duration> = ContinuousClock(),
        _ work: @escaping @Sendable () async throws -> Void
    ) {
        let interval = max(interval, .milliseconds(1))
        add(
            BackgroundWork(name: name) { logger in
                let start = clock.now
                var due = start.advanced(by: interval)
                while (try? await clock.sleep(until: due, tolerance: nil)) != nil, !Task.isShuttingDown {
                    do {
                        try await work()
                    } catch {
                        log(error, of: name, to: logger)
                    }
                    let passed = Int64(start.duration(to: clock.now) / interval)
                    due = max(due.advanced(by: interval), start.advanced(by: interval * (passed + 1)))
                }
            })
    }

    /// How long work of `background` and `every` has to end once it is cancelled.
    public static var backgroundGracePeriod: Duration { .seconds(5) }

    private func add(_ work: BackgroundWork) {
        background.withLock { $0.append(work) }
    }
}

/// Logs what background work has thrown. The end of its task is no error.
private func log(_ error: any Error, of name: String, to logger: Logger) {
    if Task.isCancelled || error is CancellationError { return }
    logger.error("background work failed", metadata: ["work": .clean(name), "error": .clean(error)])
}
