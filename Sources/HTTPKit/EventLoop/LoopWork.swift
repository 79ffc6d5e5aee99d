/// Whose code runs on an event loop: a worker that serves HTTP requests, or the connection of a socket.
///
/// It is the task executor of its own tasks, so that the loop knows whose job it runs, whoever has woken it.
package protocol LoopWork: TaskExecutor {
    /// What runs now, for logs: the request with its route, or the route of a socket.
    var label: String { get }
}

/// A piece of a task that waits for its loop.
///
/// Invariant: `owner` is the executor of the job's task. The task keeps its executor alive, and the job its task, so the
/// job needs no reference of its own: two per request would cost more than the rest of the queue.
struct LoopJob: Sendable {
    let job: UnownedJob
    unowned(unsafe) let owner: any LoopWork
}
