import NIOCore
import Synchronization

/// What a handler can learn about its client and its server while it works on a request.
extension Request {
    /// Calls `action` once if the client is gone before the response is complete.
    ///
    /// A client is gone when its connection was reset or closed, by whichever side, and when it has closed its own side
    /// and a limit has passed: `HTTPLimits.halfClosedHandlerTimeout` before the head of the response was sent,
    /// `HTTPLimits.halfClosedStreamTimeout` behind it. The task of the handler is cancelled at the same time, so a
    /// handler that only awaits needs no action.
    ///
    /// The action runs on `eventLoop` and must not block. When the connection is closed already, it runs at once. It is
    /// dropped when the response is complete. A request that has become a WebSocket calls none: its socket ends.
    public func onDisconnect(_ action: @escaping @Sendable () -> Void) {
        onLoop { $0.onDisconnect(action) }
    }

    /// Whether the server drains: it accepts no connections any more, and closes this one behind the response, or in
    /// the midst of it when the drain time is over. Event streams have ended by then.
    public var isDraining: Bool { connection.loop.isDraining.load(ordering: .relaxed) }

    /// Calls `action` once if the server begins to drain before the response is complete.
    ///
    /// A handler that may take long, such as a long poll or an endless stream, should then come to its end: it goes on
    /// undisturbed until the drain time is over, and is cancelled with its connection after that. Event streams need no
    /// action: the server ends them when the drain begins.
    ///
    /// The action runs on `eventLoop` and must not block. When the server drains already, it runs at once. It is dropped
    /// when the response is complete. A request that has become a WebSocket calls none: its socket is closed with 1001.
    public func onDrain(_ action: @escaping @Sendable () -> Void) {
        onLoop { $0.onDrain(action) }
    }

    /// Returns when the server begins to drain, at once when it does already.
    ///
    /// ```swift
    /// app.get("/news") { request in
    ///     try await withThrowingTaskGroup(of: Response.self) { group in
    ///         group.addTask { try .json(try await news.next()) }
    ///         group.addTask {
    ///             try await request.waitForDrain()
    ///             return .status(.noContent)
    ///         }
    ///         defer { group.cancelAll() }
    ///         return try await group.next() ?? .status(.noContent)
    ///     }
    /// }
    /// ```
    /// - Throws: `CancellationError` when the task is cancelled, or when the response is complete before the server
    ///   drains.
    public func waitForDrain() async throws {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        // Only the action holds it, so that it ends when the action is dropped.
        onDrain { [wait = DrainWait(continuation)] in wait.end() }
        for await _ in stream { return }
        throw CancellationError()
    }

    /// Runs `body` on the event loop, at once when this is it. Requests without an exchange have nothing to wait for.
    private func onLoop(_ body: @escaping @Sendable (Exchange) -> Void) {
        guard let exchange else { return }
        let loop = connection.loop
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { loop.turn { body(exchange) } }
        }
        loop.turn { body(exchange) }
    }
}

/// Ends a wait for the drain, by its beginning or by the end of what would tell of it.
private final class DrainWait: Sendable {
    private let continuation: AsyncStream<Void>.Continuation

    init(_ continuation: AsyncStream<Void>.Continuation) { self.continuation = continuation }

    deinit { continuation.finish() }

    func end() { continuation.yield() }
}
