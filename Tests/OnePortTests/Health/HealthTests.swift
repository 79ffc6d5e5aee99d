import HTTPKit
import Logging
import OnePortTesting
import Synchronization
import Testing

@testable import OnePort

private struct Broken: Error, CustomStringConvertible {
    var description: String { "the password is secret" }
}

@Suite("The health of an application", .timeLimit(.minutes(1)))
struct HealthTests {
    private func app(
        clock: some Clock<Duration> = ContinuousClock(), _ declare: (inout HealthChecks) -> Void
    ) -> App {
        let app = App(configuration: AppConfiguration())
        app.health(clock: clock, declare)
        return app
    }

    @Test("without checks it is ready as soon as it responds")
    func empty() async throws {
        try await app { _ in }.test { client in
            for path in ["/health", "/health/ready", "/health/live"] {
                let response = try await client.get(path)
                #expect(response.status == .ok && response.text == #"{"status":"pass"}"#)
                #expect(response.fields[.cacheControl] == "no-store")
                #expect(response.fields[.contentType] == "application/json")
            }
        }
    }

    @Test("a check that fails makes it not ready, but leaves it alive; the error's text stays inside")
    func failure() async throws {
        let app = app { checks in
            checks.add("cache") {}
            checks.add("database") { throw Broken() }
        }
        try await app.test { client in
            for path in ["/health", "/health/ready"] {
                let response = try await client.get(path)
                #expect(response.status == .serviceUnavailable)
                #expect(
                    response.text
                        == #"{"checks":{"cache":{"status":"pass"},"database":{"reason":"the check failed","status":"fail"}},"status":"fail"}"#
                )
            }
            let live = try await client.get("/health/live")
            #expect(live.status == .ok)
        }
    }

    @Test("a check that takes too long has failed, even if it does not hear of its cancellation")
    func timeout() async throws {
        let clock = ManualClock()
        let gate = AsyncStream.makeStream(of: Void.self)
        let monitor = HealthMonitor(
            checks: [
                HealthCheck(name: "slow", timeout: .seconds(2)) {
                    await withCheckedContinuation { continuation in
                        Task.detached {
                            for await _ in gate.stream { break }
                            continuation.resume()
                        }
                    }
                },
                HealthCheck(name: "fast", timeout: .seconds(2)) {},
            ], maxAge: .seconds(1), logger: Logger(label: "test"), clock: clock)
        async let results = monitor.results()
        await clock.sleepers(1)
        clock.advance(by: .seconds(2))
        let shown = await results
        #expect(shown.map(\.result) == [.timedOut(.seconds(2)), .passed])
        gate.continuation.finish()
    }

    @Test("checks run at most once in their age, however many ask")
    func cached() async throws {
        let clock = ManualClock()
        let count = Counter()
        let monitor = HealthMonitor(
            checks: [HealthCheck(name: "one", timeout: .seconds(60)) { count.add() }],
            maxAge: .seconds(1), logger: Logger(label: "test"), clock: clock)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = await monitor.results() } }
        }
        #expect(count.value == 1)
        clock.advance(by: .milliseconds(999))
        _ = await monitor.results()
        #expect(count.value == 1)
        clock.advance(by: .milliseconds(1))
        _ = await monitor.results()
        #expect(count.value == 2)
    }

    @Test("only changes are logged, with the error")
    func log() async throws {
        let noted = Mutex<[String]>([])
        let logger = Logger(label: "test") { _ in LineHandler { line in noted.withLock { $0.append(line) } } }
        let fails = Flag()
        let monitor = HealthMonitor(
            checks: [HealthCheck(name: "one", timeout: .seconds(60)) { if fails.isSet { throw Broken() } }],
            maxAge: .zero, logger: logger, clock: ContinuousClock())
        for state in [false, true, true, false, false] {
            fails.isSet = state
            _ = await monitor.results()
        }
        #expect(
            noted.withLock { $0 } == [
                "warning a health check fails the password is secret", "info a health check passes again -",
            ])
    }

    @Test("it is not ready from the signal on, while it still serves for the delay")
    func draining() async throws {
        let app = app { _ in }
        try await app.test { client in
            let before = try await client.get("/health")
            #expect(before.status == .ok)
            app.isShuttingDown = true
            let ready = try await client.get("/health/ready")
            #expect(
                ready.status == .serviceUnavailable && ready.text == #"{"draining":true,"status":"fail"}"#)
            let live = try await client.get("/health/live")
            #expect(live.status == .ok)
        }
        #expect(
            try AppConfiguration.parse(arguments: ["app", "--drain-delay=5"], environment: [:]).drainDelay
                == .seconds(5))
    }

    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add() { count.wrappingAdd(1, ordering: .relaxed) }
    }

    private final class Flag: Sendable {
        private let flag = Atomic(false)
        var isSet: Bool {
            get { flag.load(ordering: .relaxed) }
            set { flag.store(newValue, ordering: .relaxed) }
        }
    }
}

/// Gives each line of a log to a closure: level, message and the metadata `error`.
struct LineHandler: LogHandler {
    let take: @Sendable (String) -> Void
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    init(take: @escaping @Sendable (String) -> Void) { self.take = take }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let error = event.metadata?["error"].map { "\($0)" } ?? "-"
        take("\(event.level) \(event.message) \(error)")
    }
}
