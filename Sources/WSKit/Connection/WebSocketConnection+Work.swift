import HTTPKit

/// The connection is the executor of its socket's closure, on its loop: so the watchdog can name the socket that held the
/// loop, whatever has woken the closure.
extension WebSocketConnection: LoopWork {
    /// The route of the socket.
    package var label: String { "WebSocket \(route)" }

    package func enqueue(_ job: consuming ExecutorJob) {
        loop.enqueue(UnownedJob(job), of: self, on: asUnownedTaskExecutor())
    }
}
