import HTTPKit
@_spi(TestKit) import ServiceLifecycle

/// The graceful shutdown of swift-service-lifecycle, for handlers.
///
/// A `ServiceGroup` binds a task-local value for each of its services. The library exposes that value to test kits only
/// (`@_spi(TestKit)`). There is no other way to find out whether a task belongs to a group, or to pass the shutdown on
/// to tasks that are not children of the service's task, such as those of handlers. Only this file uses it.
enum ServiceGroupMembership {
    /// Whether this task runs within a service group.
    static var isInside: Bool { TaskLocals.gracefulShutdownManager != nil }
}

extension Task where Success == Never, Failure == Never {
    /// Whether this task is cancelled, or told to shut down gracefully.
    static var isShuttingDown: Bool { isCancelled || isShuttingDownGracefully }
}

extension HandlerScope {
    /// Makes `gracefulShutdown()`, `withGracefulShutdownHandler`, `cancelWhenGracefulShutdown` and
    /// `Task.isShuttingDownGracefully` work in handlers, streams and sockets. Their shutdown begins with the server's.
    static func gracefulShutdown() -> HandlerScope {
        let manager = GracefulShutdownManager()
        return HandlerScope(
            run: { work in await TaskLocals.$gracefulShutdownManager.withValue(manager) { await work() } },
            drain: { manager.shutdownGracefully() })
    }
}
