import HTTPTypes
import NIOCore
import Synchronization

/// Where a worker finds the requests that it serves one after the other: an HTTP/1.1 connection, whose requests wait for
/// each other, or a stream of HTTP/2, which has one.
package protocol RequestSource: AnyObject {
    /// What stands around the tasks of workers.
    var handlerScope: HandlerScope? { get }
    /// The handler of a request that nobody has seen yet.
    func handler(for request: Request) -> Handler
    /// Whether something has arrived behind the request that was answered last.
    var hasInput: Bool { get }
    /// The next exchange, where its request has arrived.
    func nextExchange(for worker: Worker) -> Exchange?
    /// `worker` was cancelled by its handler: what has arrived behind the request is served by another one.
    func goOn(without worker: Worker)
}

/// A task on an event loop that serves requests, of one connection after another: to make a task and to end it takes
/// 1,700 instructions, to wake one half of that.
///
/// Nothing passes from one request to the next: a worker is detached, so it has no task-local values but those of the
/// server's `HandlerScope`, and one that was cancelled is not used again.
///
/// It is the executor of its task, on its loop: so the watchdog knows the request whose handler held the loop.
///
/// Invariant: touched on the loop only, which debug builds assert; `enqueue` may be called by any thread.
package final class Worker: LoopWork, @unchecked Sendable {
    private let pool: WorkerPool
    private let loop: LoopContext
    @exclusivity(unchecked) private var source: (any RequestSource)?
    @exclusivity(unchecked) private var exchange: Exchange?
    @exclusivity(unchecked) private var parking: UnsafeContinuation<Void, Never>?
    @exclusivity(unchecked) private var task: Task<Void, Never>?
    /// Whether the task was cancelled, by its connection or by its own handler: it serves no other request. Asking the
    /// task itself costs more per request than being told once.
    private let isCancelled = Atomic(false)
    @exclusivity(unchecked) private var waking = Waking.no

    /// Whether the parked task is being woken, and the job that this has made.
    private enum Waking {
        case no
        case waking(UnownedJob?)
    }

    init(pool: WorkerPool) {
        self.pool = pool
        loop = pool.loop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard loop.eventLoop.inEventLoop, case .waking(nil) = waking else {
            return loop.enqueue(job, of: self)
        }
        waking = .waking(job)
    }

    /// The request that is served, by its route where it has one.
    package var label: String {
        exchange.map { $0.request.label } ?? ""
    }

    /// Whether it waits for work.
    var isParked: Bool { parking != nil }

    /// Serves `exchange`, and what has arrived behind it. When this returns, the handler has run as far as it can
    /// without waiting: before the content of its request is looked at.
    package func serve(_ exchange: Exchange, of source: any RequestSource) {
        loop.eventLoop.assertInEventLoop()
        self.source = source
        self.exchange = exchange
        loop.begin(self)
        if task == nil {
            task =
                if let scope = source.handlerScope {
                    Task.immediateDetached(executorPreference: self) { [self] in
                        await scope.run { await self.run() }
                    }
                } else {
                    Task.immediateDetached(executorPreference: self) { [self] in await run() }
                }
            if isCancelled.load(ordering: .relaxed) { task?.cancel() }
        } else {
            // The job that this wakes runs at once, without a way through the queue.
            waking = .waking(nil)
            wake()
            let woken = waking
            waking = .no
            if case .waking(let job?) = woken { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }

    /// Cancels the handler that runs, with the tasks that are its children. The worker serves no other request.
    package func cancel() {
        // In the midst of its first request the task is not known yet.
        isCancelled.store(true, ordering: .relaxed)
        task?.cancel()
    }

    /// Ends a wait; without work the worker waits again, if it may, or ends.
    func wake() {
        let waiting = parking
        parking = nil
        waiting?.resume()
    }

    private func run() async {
        await withTaskCancellationHandler {
            await serveRequests()
        } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
        }
    }

    /// All of it is one function, since behind each `await` the executor is asked for, which takes a lock.
    private func serveRequests() async {
        while true {
            if let source, let exchange {
                let request = exchange.request
                var isSent: Bool
                do {
                    let handler = source.handler(for: request)
                    isSent = exchange.send(try await handler(request))
                } catch {
                    isSent = exchange.send(
                        await request.connection.policy.handledResponse(to: error, of: request))
                }
                if !isSent { await exchange.stream() }
                takeNextExchange(of: source)
            } else if !isCancelled.load(ordering: .relaxed), pool.park(self) {
                await withUnsafeContinuation { parking = $0 }
            } else {
                return
            }
        }
    }

    /// Goes on with what has arrived behind the request.
    @inline(never)
    private func takeNextExchange(of source: any RequestSource) {
        loop.eventLoop.assertInEventLoop()
        if source.hasInput { loop.endUnit() } else { loop.finishUnit() }
        if isCancelled.load(ordering: .relaxed) {
            exchange = nil
            self.source = nil
            return source.goOn(without: self)
        }
        exchange = source.nextExchange(for: self)
        if exchange == nil { self.source = nil }
    }
}

extension Request {
    /// The request as logs name it: by its route where it has one.
    fileprivate var label: String { "\(method.rawValue) \(pattern.isEmpty ? path : pattern)" }
}
