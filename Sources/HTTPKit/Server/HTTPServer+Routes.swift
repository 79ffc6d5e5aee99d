public import Logging
public import NIOCore
public import NIOPosix

extension HTTPServer {
    /// Creates a server that responds by `routes`. It listens after `start` or `run`.
    ///
    /// Routes that are declared later are not served: they stop a debug build, and are logged as errors in a release
    /// build.
    ///
    /// - Parameter values: The values that every request begins with; see `RequestKey`.
    /// - Throws: `PathPatternError`, `RouteConflict`, `StaticFilesError` or `OriginListError`, which name the first invalid
    ///   declaration.
    public convenience init(
        configuration: Configuration = Configuration(),
        group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        logger: Logger = Logger(label: "HTTPKit"), values: RequestValues = RequestValues(), routes: Routes
    ) throws {
        let table = routes.routes.table
        let router = try table.router(trailingSlash: routes.trailingSlash)
        table.seal(logger: logger)
        let policy = ServerPolicy(
            limits: configuration.limits, logger: logger, values: values,
            isProxy: configuration.isTrustedProxy,
            errorHandlers: { router.errorHandlers(for: $0) })
        self.init(
            configuration: configuration, group: group,
            context: ServerContext(
                policy: policy, protocols: configuration.protocols, responder: .router(router)))
    }

    /// Listens, and serves until the task is cancelled. Then it shuts down.
    ///
    /// - Parameter drain: How long requests in flight may take to finish after that.
    /// - Throws: The errors of `start`.
    public func run(drain: Duration = .seconds(10)) async throws {
        try await start()
        let (end, continuation) = AsyncStream<Void>.makeStream()
        await withTaskCancellationHandler {
            for await _ in end {}
        } onCancel: {
            continuation.finish()
        }
        // The drain has its own limit, which the cancellation of this task must not cut short.
        await Task { await self.shutdown(within: drain) }.value
    }
}
