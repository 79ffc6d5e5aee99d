/// Whose code runs on an event loop: a worker that serves HTTP requests, or the connection of a socket.
///
/// It is the task executor of its own tasks, so that the loop knows whose job it runs, whoever has woken it.
package protocol LoopWork: TaskExecutor {
    /// What runs now, for logs: the request with its route, or the route of a socket.
    var label: String { get }
}

/// A piece of a task that waits for its loop.
struct LoopJob: @unchecked Sendable {
    let job: UnownedJob
    let executor: UnownedTaskExecutor
    let owner: any LoopWork
}

/// What one loop has counted.
package struct LoopStatistics: Sendable {
    package var connections = 0
    package var requests = 0
    package var bytesIn = 0
    package var bytesOut = 0
    package var sockets = 0
    package var messagesIn = 0
    package var messagesOut = 0
    package var messagesDropped = 0
}
