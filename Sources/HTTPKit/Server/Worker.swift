import HTTPTypes
import NIOCore

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
    /// Whether it was cancelled before its task was known, in the midst of its first request.
    private var isCancelRequested = false

    init(loop: LoopContext) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        loop.enqueue(UnownedJob(job), of: self, on: asUnownedTaskExecutor())
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
            if isCancelRequested { task?.cancel() }
        } else {
            wake()
            loop.runWaitingJobs()
        }
    }

    /// Cancels the handler that runs, with the tasks that are its children. The worker serves no other request.
    func cancel() {
        guard let task else { return isCancelRequested = true }
        task.cancel()
    }

    /// Whether the task was cancelled, by its connection or by its own handler.
    private var isCancelled: Bool { task?.isCancelled ?? (isCancelRequested || Task.isCancelled) }

    /// Ends a wait; without work the worker waits again, if it may, or ends.
    func wake() {
        let waiting = parking
        parking = nil
        waiting?.resume()
    }

    /// All of it is one function, since behind each `await` the executor is asked for, which takes a lock.
    private func run() async {
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
            } else if !isCancelled, loop.park(self) {
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
        loop.endUnit()
        if isCancelled {
            request = nil
            self.connection = nil
            return connection.goOn(without: self)
        }
        request = connection.takeNextRequest(for: self)
        if request == nil { self.connection = nil }
    }
}
