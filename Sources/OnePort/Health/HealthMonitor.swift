import HTTPKit
import Logging

/// Runs the checks of an application, all at once, and keeps their results for a short time: however many ask, the checks
/// run one at a time.
actor HealthMonitor {
    typealias Results = [(name: String, result: HealthResult)]

    private let checks: [HealthCheck]
    private let maxAge: Duration
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let now: @Sendable () -> Duration
    private var known: (results: Results, at: Duration)?
    private var running: Task<Results, Never>?
    /// The checks whose last result was a failure.
    private var failing: Set<String> = []

    /// - Parameter maxAge: How long results are kept.
    init<C: Clock>(checks: [HealthCheck], maxAge: Duration, logger: Logger, clock: C)
    where C.Duration == Duration {
        self.checks = checks
        self.maxAge = maxAge
        self.clock = clock
        self.logger = logger
        let start = clock.now
        now = { start.duration(to: clock.now) }
    }

    /// The results, no older than `maxAge`.
    func results() async -> Results {
        if let known, now() - known.at < maxAge { return known.results }
        if let running { return await running.value }
        let task = Task { await runAll() }
        running = task
        let results = await task.value
        running = nil
        known = (results, now())
        note(results)
        return results
    }

    private func runAll() async -> Results {
        await withTaskGroup(of: (Int, HealthResult).self) { group in
            for (index, check) in checks.enumerated() {
                group.addTask { [clock] in (index, await Self.result(of: check, clock)) }
            }
            var results = [HealthResult](repeating: .passed, count: checks.count)
            for await (index, result) in group { results[index] = result }
            return zip(checks, results).map { ($0.name, $1) }
        }
    }

    /// The result, within the check's time: a check that does not hear of its cancellation is not waited for.
    private static func result(of check: HealthCheck, _ clock: any Clock<Duration>) async -> HealthResult {
        let (results, continuation) = AsyncStream.makeStream(of: HealthResult.self)
        let work = Task {
            do {
                try await check.run()
                continuation.yield(.passed)
            } catch {
                continuation.yield(.failed("\(error)"))
            }
        }
        let timer = Task {
            guard (try? await clock.sleep(for: check.timeout)) != nil else { return }
            continuation.yield(.timedOut(check.timeout))
        }
        var first = HealthResult.timedOut(check.timeout)
        for await result in results {
            first = result
            break
        }
        work.cancel()
        timer.cancel()
        return first
    }

    /// Logs what has changed.
    private func note(_ results: Results) {
        for (name, result) in results {
            switch result {
            case .passed:
                guard failing.remove(name) != nil else { continue }
                logger.info("a health check passes again", metadata: ["check": .clean(name)])
            case .failed(let error):
                guard failing.insert(name).inserted else { continue }
                logger.warning(
                    "a health check fails", metadata: ["check": .clean(name), "error": .clean(error)])
            case .timedOut(let duration):
                guard failing.insert(name).inserted else { continue }
                logger.warning(
                    "a health check takes too long",
                    metadata: ["check": .clean(name), "timeout": "\(duration)"])
            }
        }
    }
}
