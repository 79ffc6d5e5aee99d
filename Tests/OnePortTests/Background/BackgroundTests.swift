import HTTPKit
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import OnePort

private struct Mishap: Error {}

/// What has happened, in order, and a wait for it.
private final class Record: Sendable {
    private let state = Mutex<(all: [String], watchers: [(count: Int, CheckedContinuation<Void, Never>)])>(
        ([], []))

    var all: [String] { state.withLock { $0.all } }

    func add(_ text: String) {
        let told = state.withLock { state in
            state.all.append(text)
            let told = state.watchers.filter { $0.count <= state.all.count }
            state.watchers.removeAll { $0.count <= state.all.count }
            return told
        }
        for watcher in told { watcher.1.resume() }
    }

    /// Returns when so much has happened.
    func count(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.all.count >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

@Suite("Background work", .timeLimit(.minutes(1)))
struct BackgroundTests {
    private let record = Record()
    private let clock = ManualClock()

    private var logger: Logger { Logger(label: "test") { _ in LineHandler { [record] in record.add($0) } } }

    /// Runs what `declare` declares, until `body` is done.
    private func run(
        _ declare: (App) -> Void, _ body: (BackgroundTasks) async throws -> Void
    ) async throws {
        let app = App(configuration: AppConfiguration())
        declare(app)
        let tasks = BackgroundTasks(
            app.background.withLock { $0 }, logger: logger, scope: .gracefulShutdown())
        try await body(tasks)
        await tasks.end(within: .seconds(30))
    }

    @Test("runs at each interval, and not twice at the same time: what is missed is left out")
    func every() async throws {
        let gate = AsyncStream.makeStream(of: Void.self)
        try await run {
            $0.every(.seconds(10), clock: clock) { [record, clock] in
                record.add("run at \(clock.now.offset)")
                if record.all.count == 2 { for await _ in gate.stream { break } }
            }
        } _: { _ in
            await clock.sleepers(1)
            #expect(record.all.isEmpty)
            clock.advance(by: .seconds(10))
            await record.count(1)
            await clock.sleepers(1)
            clock.advance(by: .seconds(10))
            await record.count(2)
            // The second run takes 25 seconds.
            clock.advance(by: .seconds(25))
            gate.continuation.yield()
            await clock.sleepers(1)
            clock.advance(by: .seconds(4))
            #expect(record.all.count == 2)
            clock.advance(by: .seconds(1))
            await record.count(3)
            #expect(record.all.map { $0.split(separator: " ")[2] } == ["10.0", "20.0", "50.0"])
        }
    }

    @Test("an error is logged, and the next run comes at its time")
    func everyFails() async throws {
        try await run {
            $0.every(.seconds(1), "sweep", clock: clock) { throw Mishap() }
        } _: { _ in
            for count in 1...2 {
                await clock.sleepers(1)
                clock.advance(by: .seconds(1))
                await record.count(count)
            }
            #expect(
                record.all == [
                    "error background work failed Mishap()", "error background work failed Mishap()",
                ])
        }
    }

    @Test("work that throws starts again after a pause that grows, and work that returns is done")
    func restarts() async throws {
        let record = record
        let runs = Runs()
        try await run {
            $0.background("feed", clock: clock) { [clock] in
                record.add("begins at \(clock.now.offset)")
                if runs.next() < 4 { throw Mishap() }
            }
        } _: { tasks in
            for (index, pause) in [1, 2, 4].enumerated() {
                await record.count(2 * index + 2)
                await clock.sleepers(1)
                clock.advance(by: .seconds(pause))
            }
            await record.count(7)
        }
        #expect(
            record.all.filter { $0.hasPrefix("begins") } == [
                "begins at 0.0 seconds", "begins at 1.0 seconds", "begins at 3.0 seconds",
                "begins at 7.0 seconds",
            ])
    }

    private final class Runs: Sendable {
        private let count = Atomic<Int>(0)
        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    }

    @Test("the pause ends at a minute, and begins anew behind work that has lasted")
    func pauses() {
        var pause = RestartPause()
        let pauses = (0..<8).map { _ in pause.next(after: .zero) }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        #expect(pause.next(after: .seconds(61)) == .seconds(1))
    }

    @Test("at the end it is told first, and cancelled then")
    func end() async throws {
        try await run {
            $0.background("polite") { [record] in
                record.add("begins")
                try await gracefulShutdown()
                record.add("told")
                do {
                    try await Task.sleep(for: .seconds(600))
                } catch {
                    record.add("cancelled")
                    throw error
                }
            }
        } _: { tasks in
            await record.count(1)
            tasks.drain()
            await record.count(2)
        }
        #expect(record.all == ["begins", "told", "cancelled"])
    }

    @Test("no run begins behind the drain")
    func noRunBehindDrain() async throws {
        try await run {
            $0.every(.seconds(1), clock: clock) { [record] in record.add("run") }
        } _: { tasks in
            await clock.sleepers(1)
            tasks.drain()
            clock.advance(by: .seconds(5))
        }
        #expect(record.all.isEmpty)
    }

    @Test("work that does not end is named, and not waited for")
    func stubborn() async throws {
        let gate = AsyncStream.makeStream(of: Void.self)
        let app = App(configuration: AppConfiguration())
        app.background("stubborn") { [record] in
            record.add("begins")
            await withCheckedContinuation { continuation in
                Task.detached {
                    for await _ in gate.stream { break }
                    continuation.resume()
                }
            }
        }
        let tasks = BackgroundTasks(
            app.background.withLock { $0 }, logger: logger, scope: .gracefulShutdown())
        await record.count(1)
        async let end: Void = tasks.end(within: .seconds(5), clock: clock)
        await clock.sleepers(1)
        clock.advance(by: .seconds(5))
        await end
        #expect(record.all == ["begins", "warning background work has not ended -"])
        gate.continuation.finish()
    }

    @Test("an application runs it from its start to its end")
    func application() async throws {
        let configuration = try AppConfiguration.parse(
            arguments: ["app", "--port=0", "--drain=0", "--log-level=error"], environment: [:])
        let app = App(configuration: configuration)
        app.background("one") { [record] in
            record.add("begins")
            try await gracefulShutdown()
            record.add("told")
        }
        let task = Task { try await app.serve() }
        await record.count(1)
        task.cancel()
        try await task.value
        #expect(record.all == ["begins", "told"])
    }
}
