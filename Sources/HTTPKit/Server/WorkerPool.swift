/// The workers of one event loop that have nothing to do.
///
/// Invariant: touched on the loop only.
package final class WorkerPool {
    /// The loop keeps its pool, and each worker both.
    unowned let loop: LoopContext
    @exclusivity(unchecked) private var idle: [Worker] = []

    private static let maxIdle = 32
    private static let local = LoopLocal { WorkerPool(loop: $0) }

    /// The workers of `loop`.
    package static func of(_ loop: LoopContext) -> WorkerPool { local[loop] }

    private init(loop: LoopContext) {
        self.loop = loop
        loop.onIdle = { [unowned self] in self.dismissAll() }
    }

    /// A worker that has nothing to do.
    package func take() -> Worker { idle.popLast() ?? Worker(pool: self) }

    /// Keeps a worker that has nothing to do; `false` when there are enough, or nobody to work for.
    func park(_ worker: Worker) -> Bool {
        guard idle.count < Self.maxIdle, loop.memberCount > 0 else { return false }
        idle.append(worker)
        return true
    }

    /// Without connections, no tasks are kept.
    private func dismissAll() {
        let workers = idle
        idle = []
        for worker in workers { worker.wake() }
    }
}
