import HTTPKit
@_spi(TestKit) import ServiceLifecycle

/// The graceful shutdown of swift-service-lifecycle, for handlers.
///
/// A `ServiceGroup` binds a task-local value for each of its services. The library shows that value to test kits only
/// (`@_spi(TestKit)`), and there is no other way to find out whether a task belongs to a group, or to hand the shutdown
/// on to tasks that are not children of the service's task, as those of handlers are not. This file is the only one that
/// uses it.
enum ServiceGroupMembership {
    /// Whether this task runs inside of a service group.
    static var isInside: Bool { TaskLocals.gracefulShutdownManager != nil }
}

extension HandlerScope {
    /// Has `gracefulShutdown()`, `withGracefulShutdownHandler`, `cancelWhenGracefulShutdown` and
    /// `Task.isShuttingDownGracefully` work in handlers, streams and sockets: the shutdown begins when the server drains.
    static func gracefulShutdown() -> HandlerScope {
        let manager = GracefulShutdownManager()
        return HandlerScope(
            run: { work in await TaskLocals.$gracefulShutdownManager.withValue(manager) { await work() } },
            drain: { manager.shutdownGracefully() })
    }
}
