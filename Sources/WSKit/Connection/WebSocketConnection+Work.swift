import HTTPKit

/// The connection is the task executor of its socket's closure, on its event loop. So the watchdog can name the socket
/// that blocked the loop, whatever has resumed the closure.
extension WebSocketConnection: LoopWork {
    /// The route of the socket.
    package var label: String { "WebSocket \(service.route)" }

    package func enqueue(_ job: consuming ExecutorJob) {
        loop.enqueue(UnownedJob(job), of: self)
    }
}
