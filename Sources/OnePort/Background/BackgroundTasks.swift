import HTTPKit
import Logging

/// The background work of a running application.
struct BackgroundTasks {
    private let tasks: [(name: String, task: Task<Void, Never>)]
    private let logger: Logger
    private let scope: HandlerScope

    /// Starts all of it, within `scope`, which tells it of the drain.
    init(_ work: [BackgroundWork], logger: Logger, scope: HandlerScope) {
        self.logger = logger
        self.scope = scope
        tasks = work.map { work in
            (work.name, Task { await scope.run { await work.run(logger) } })
        }
    }

    /// Tells it that the application shuts down.
    func drain() { scope.drain() }

    /// Cancels it, and waits until it has ended, for at most `time`. Work that goes on is named in the log.
    func end<C: Clock>(within time: Duration, clock: C = ContinuousClock()) async
    where C.Duration == Duration {
        guard !tasks.isEmpty else { return }
        for (_, task) in tasks { task.cancel() }
        let (ends, continuation) = AsyncStream.makeStream(of: Int?.self)
        for (index, one) in tasks.enumerated() {
            Task {
                await one.task.value
                continuation.yield(index)
            }
        }
        let timer = Task {
            try? await clock.sleep(for: time)
            continuation.yield(nil)
        }
        defer { timer.cancel() }
        var left = Set(tasks.indices)
        for await end in ends {
            guard let end else { break }
            left.remove(end)
            if left.isEmpty { return }
        }
        for index in left.sorted() {
            logger.warning(
                "background work has not ended", metadata: ["work": .clean(tasks[index].name)])
        }
    }
}
