import HTTP2Kit
import HTTPKit
import Logging
public import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization
import UnixSignals
import WSKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Startup and shutdown, standalone or as a service in a `ServiceGroup`.
extension App: Service {
    /// Serves until SIGTERM or SIGINT, then shuts down gracefully: it accepts no new connections, requests in flight finish,
    /// sockets are closed with 1001, event streams end, and remaining connections are closed after `--drain` seconds. A
    /// second SIGTERM or SIGINT ends the program at once, with 128 plus the signal's number.
    ///
    /// When it accepts connections, it prints a line `listening on http://HOST:PORT`, `listening on https://HOST:PORT` or
    /// `listening on unix:PATH` for each address.
    ///
    /// On its own, it traps both signals. If it cannot start, it prints the reason to standard error and exits with 1.
    /// Within a `ServiceGroup`, it does neither: it throws the error, shuts down with the group, and leaves signals to the
    /// group. The group shuts down its services in reverse order, so with `[pool, app]` the application has shut down
    /// before the pool is asked to stop.
    ///
    /// If the task is cancelled, it stops without waiting for requests in flight.
    ///
    /// In handlers, streamed bodies and closures of sockets, `gracefulShutdown()`, `withGracefulShutdownHandler` and
    /// `cancelWhenGracefulShutdown` of ServiceLifecycle work: their shutdown begins with the server's.
    public func run() async throws {
        if ServiceGroupMembership.isInside {
            return try await serve()
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: StandaloneService(app: self),
                        successTerminationBehavior: .gracefullyShutdownGroup)
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quietLogger))
        do {
            try await group.run()
        } catch let error as CancellationError {
            throw error
        } catch {
            FileHandles.printError("\(error)" + ((error as? BindError)?.advice ?? ""))
            exit(1)
        }
    }

    /// A logger without the group's own messages about starting and stopping.
    private var quietLogger: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }

    /// Serves until the surrounding group shuts down.
    package func serve() async throws {
        let threads = configuration.threads
        let limits = limitsWithinDescriptors(threads: threads)
        let group = EventLoopPool.shared.take(threads: threads)
        defer { EventLoopPool.shared.giveBack(group) }
        let security = try await makeSecurity()
        let server = try makeServer(group: group, limits: limits, security: security)
        try await server.start()
        self.server.withLock { $0 = server }
        isShuttingDown = false
        for (address, usesTLS) in server.listening {
            FileHandles.printLine("listening on \(Self.url(of: address, usesTLS: usesTLS))")
        }
        async let _ = security?.keepFresh()
        let notifier = ServiceNotifier(ProcessEnvironment.current, processID: getpid())
        notifier?.send(.ready)
        async let _: Void = watch(group, notifier)
        async let _: Void = keepRecording()
        logger.info(
            "serving", metadata: ["environment": "\(configuration.environment)", "threads": "\(threads)"])
        let work = BackgroundTasks(
            background.withLock { $0 }, logger: logger, scope: .gracefulShutdown())
        await waitForShutdown(notifier)
        logger.info("draining", metadata: ["connections": "\(server.context.openConnections)"])
        work.drain()
        await server.shutdown(within: configuration.drain)
        await work.end(within: Self.backgroundGracePeriod)
        self.server.withLock { $0 = nil }
        await AccessLogOutput.standard.flush()
        logger.info("stopped")
        // What runs beside is cancelled here and waited for.
    }

    /// Returns when the application is to drain: when it was told to shut down, and `drainDelay` has passed since then.
    private func waitForShutdown(_ notifier: ServiceNotifier?) async {
        // It throws if the task is cancelled. Then the graceful shutdown ends at once, too.
        try? await gracefulShutdown()
        isShuttingDown = true
        notifier?.send(.stopping)
        guard configuration.drainDelay > .zero else { return }
        logger.info("shutting down", metadata: ["delay": "\(configuration.drainDelay)"])
        try? await Task.sleep(for: configuration.drainDelay)
    }

    /// Tells systemd that the service is alive, if it wants to know.
    private func watch(_ group: any EventLoopGroup, _ notifier: ServiceNotifier?) async {
        guard let notifier, let interval = notifier.watchdogInterval else { return }
        await ServiceWatchdog(loops: Array(group.makeIterator())) { notifier.send(.alive) }.run(
            interval: interval)
    }

    /// `http://HOST:PORT`, or `unix:PATH`; with TLS `https://HOST:PORT`, or `tls:unix:PATH`.
    static func url(of address: SocketAddress, usesTLS: Bool = false) -> String {
        guard let host = address.ipAddress, let port = address.port else {
            return "\(usesTLS ? "tls:" : "")unix:\(address.pathname ?? "")"
        }
        return (usesTLS ? "https://" : "http://") + BindAddress.authority(host, port)
    }

    /// The limits, with no more connections than there are file descriptors. Further connections get 503 instead of no
    /// response, and files can still be opened.
    private func limitsWithinDescriptors(threads: Int) -> HTTPLimits {
        var limits = limits
        guard let descriptors = DescriptorLimit.raise() else { return limits }
        let most = DescriptorLimit.connections(within: descriptors, threads: threads)
        if most < limits.maxConnections {
            logger.info(
                "the limit of file descriptors allows fewer connections",
                metadata: [
                    "descriptors": "\(descriptors)", "connections": "\(limits.maxConnections)",
                    "allowed": "\(most)",
                ])
            limits.maxConnections = most
        }
        return limits
    }

    /// Creates the server of this application. It does not listen yet.
    package func makeServer(
        group: any EventLoopGroup, host: String? = nil, port: Int? = nil, limits: HTTPLimits? = nil,
        security: (any ConnectionSecurity)? = nil
    ) throws -> HTTPServer {
        let limits = limits ?? self.limits
        var configuration = HTTPServer.Configuration()
        if host == nil, port == nil { configuration.listeners = self.configuration.listeners }
        configuration.host = host ?? self.configuration.host
        configuration.port = port ?? self.configuration.port
        configuration.limits = limits
        configuration.security = security
        configuration.proxyProtocol = self.configuration.proxyProtocol
        let isDevelopment = self.configuration.developmentPage
        var errorResponse: ErrorResponder?
        if isDevelopment { errorResponse = { DevelopmentPage.response(error: $0, request: $1) } }
        let proxies = self.configuration.trustedProxies
        var isProxy: (@Sendable (SocketAddress) -> Bool)?
        if !proxies.isEmpty { isProxy = { address in proxies.contains { $0.contains(address) } } }
        var values = RequestValues()
        values[AppKey.self] = self
        let settings = self.configuration
        values[ApplicationPathKey.self] = { settings.path(of: $0) }
        values[WebSocketDefaults.self] = WebSocketDefaults(
            options: webSocketOptions, rooms: rooms, logger: logger)
        let measured = AppMetrics()
        metrics.withLock { $0 = measured }
        let router = try router()
        let policy = ServerPolicy(
            limits: limits, logger: logger, values: values, isProxy: isProxy,
            forwardedFields: self.configuration.forwardedFields, errorResponse: errorResponse,
            errorHandlers: { router.errorHandlers(for: $0) })
        let context = ServerContext(
            policy: policy, onRefused: measured?.refused, handlerScope: .gracefulShutdown(),
            protocols: [
                HTTP2(
                    limits: http2Limits,
                    acceptsPriorKnowledge: self.configuration.acceptsCleartextHTTP2)
            ], responder: .router(router))
        routes.table.seal(logger: logger)
        configuration.onBlockedLoop = measured?.blocked
        return HTTPServer(configuration: configuration, group: group, context: context)
    }

    /// Hands what the server has counted to swift-metrics, if it has a backend.
    package func recordMetrics() async {
        guard let meters = metrics.withLock({ $0?.meters }), let counted = await statistics() else { return }
        meters.record(counted)
    }

    /// Does so now and then.
    private func keepRecording() async {
        guard metrics.withLock({ $0 != nil }) else { return }
        while (try? await Task.sleep(for: ServerMeters.interval)) != nil { await recordMetrics() }
    }

    /// The addresses that the running application listens on. Empty if it is not running.
    public var addresses: [SocketAddress] { server.withLock { $0 }?.addresses ?? [] }

    /// The addresses that the running application listens on, and whether it speaks TLS there.
    package var listening: [(address: SocketAddress, usesTLS: Bool)] {
        server.withLock { $0 }?.listening ?? []
    }

    /// The statistics of the running server, or `nil` if it is not running.
    public func statistics() async -> ServerStatistics? {
        await server.withLock { $0 }?.statistics()
    }
}

/// The application as the only service of its own group.
private struct StandaloneService: Service {
    let app: App
    func run() async throws {
        let logger = app.logger
        try await withGracefulShutdownHandler {
            try await app.serve()
        } onGracefulShutdown: {
            Task { await SecondSignal.endProgram(logger) }
        }
    }
}

/// Standard output and standard error, written immediately and without buffering.
enum FileHandles {
    static func printLine(_ text: String) { send(text + "\n", to: 1) }
    static func printError(_ text: String) { send(text + "\n", to: 2) }

    private static func send(_ text: String, to descriptor: CInt) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
