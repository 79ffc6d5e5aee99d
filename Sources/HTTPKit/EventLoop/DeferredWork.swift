import DequeModule
import NIOCore

/// Work that was put off to later turns of one event loop, in order.
struct DeferredWork {
    private var queue = Deque<() -> Void>()
    private var isScheduled = false

    /// Long enough to lie in the future when the loop looks for tasks that are due, so that it polls its sockets first.
    private static let pause = TimeAmount.microseconds(50)

    var isEmpty: Bool { queue.isEmpty }
    var count: Int { queue.count }

    mutating func append(_ body: @escaping () -> Void) { queue.append(body) }

    mutating func popFirst() -> (() -> Void)? { queue.popFirst() }

    /// Has `run` called after a pause, if there is work and it is not to be called already.
    mutating func schedule(on eventLoop: any EventLoop, _ run: @escaping @Sendable () -> Void) {
        guard !queue.isEmpty, !isScheduled else { return }
        isScheduled = true
        eventLoop.scheduleTask(in: Self.pause) { run() }
    }

    mutating func hasRun() { isScheduled = false }
}
