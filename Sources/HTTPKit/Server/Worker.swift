import HTTPTypes
import NIOCore
import Synchronization

/// A task on an event loop that serves requests, of one connection after another: to make a task and to end it takes
/// 1,700 instructions, to wake one half of that.
///
/// Nothing passes from one request to the next: a worker is detached, so it has no task-local values but those of the
/// server's `HandlerScope`, and one that was cancelled is not used again.
///
/// It is the executor of its task, on its loop: so the watchdog knows the request whose handler held the loop.
///
/// Invariant: touched on the loop only, which debug builds assert; `enqueue` may be called by any thread.
final class Worker: LoopWork, @unchecked Sendable {
    private let loop: LoopContext
    @exclusivity(unchecked) private var connection: HTTPConnection?
    @exclusivity(unchecked) private var request: Request?
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

    init(loop: LoopContext) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard loop.eventLoop.inEventLoop, case .waking(nil) = waking else {
            return loop.enqueue(job, of: self)
        }
        waking = .waking(job)
    }

    /// The request that is served, by its route where it has one.
    var label: String {
        request.map { "\($0.method.rawValue) \($0.pattern.isEmpty ? $0.path : $0.pattern)" } ?? ""
    }

    /// Whether it waits for work.
    var isParked: Bool { parking != nil }

    /// Serves `request`, and what has arrived behind it. When this returns, the handler has run as far as it can
    /// without waiting: before the content of its request is looked at.
    func serve(_ request: Request, of connection: HTTPConnection) {
        loop.eventLoop.assertInEventLoop()
        self.connection = connection
        self.request = request
        loop.begin(self)
        if task == nil {
            task =
                if let scope = connection.server.handlerScope {
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
    func cancel() {
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
            if let connection, let request {
                var isSent: Bool
                do {
                    let handler = connection.server.responder.handler(for: request)
                    isSent = connection.send(try await handler(request), of: request)
                } catch {
                    isSent = connection.send(
                        connection.server.response(to: error, of: request), of: request)
                }
                if !isSent { await connection.stream(request) }
                takeNextRequest(of: connection)
            } else if !isCancelled.load(ordering: .relaxed), loop.park(self) {
                await withUnsafeContinuation { parking = $0 }
            } else {
                return
            }
        }
    }

    /// Goes on with what has arrived behind the request.
    @inline(never)
    private func takeNextRequest(of connection: HTTPConnection) {
        loop.eventLoop.assertInEventLoop()
        let hasInput = connection.hasInput
        if hasInput { loop.endUnit() } else { loop.finishUnit() }
        if isCancelled.load(ordering: .relaxed) {
            request = nil
            self.connection = nil
            return connection.goOn(without: self)
        }
        request = connection.takeNextRequest(for: self)
        if request == nil { self.connection = nil }
    }
}
