import HTTPTypes
public import Logging
public import NIOCore
public import NIOPosix
import Synchronization

/// Listens on one or more addresses and serves HTTP/1.1 on them: each connection on one event loop, its handlers too.
public final class HTTPServer: Sendable {
    /// Where to listen, and how.
    public struct Configuration: Sendable {
        /// The address or name to listen on. A name stands for all of its addresses, `localhost` for 127.0.0.1 and ::1.
        public var host = "127.0.0.1"
        /// The port; 0 takes any that is free, the same one for all addresses.
        public var port = 8080
        /// Where to listen instead of `host` and `port`, if it is not empty.
        public var listeners: [HTTPListener] = []
        /// Connections that the kernel holds until they are accepted.
        public var backlog: Int32 = 4096
        /// Event loops of NIOPosix, one of which accepts the connections. By default, a server with several loops has a
        /// thread of its own for it. So a handler that blocks its loop does not delay new connections: they go to the other
        /// loops.
        public var acceptors: (any EventLoopGroup)?
        /// The limits that clients are held to.
        public var limits = HTTPLimits()
        /// Whether connections to `host` and `port` begin with a PROXY header. `start` throws if it is required and there
        /// is no `isTrustedProxy`.
        public var proxyProtocol = ProxyProtocol.off
        /// Tells the proxies that are believed when they say for which client they forward. A context of the caller's
        /// own says so itself.
        public var isTrustedProxy: (@Sendable (SocketAddress) -> Bool)?
        /// What connections may speak besides HTTP/1.1, the preferred first. Over TLS a client chooses by ALPN (RFC 7301).
        package var protocols: [any ConnectionProtocol] = []
        /// Encrypts the connections of listeners that use TLS. Without `listeners`, those to `host` and `port` are encrypted.
        /// Files are then copied instead of sent by the kernel.
        package var security: (any ConnectionSecurity)?
        /// Told of each handler that held its event loop for more than 100 ms, besides the log.
        package var onBlockedLoop: (@Sendable (_ milliseconds: Int64, _ route: String) -> Void)?

        /// The defaults: 127.0.0.1, port 8080.
        public init() {}

        /// The listeners that are asked for.
        var allListeners: [HTTPListener] {
            guard listeners.isEmpty else { return listeners }
            return [
                HTTPListener(
                    .hostname(host, port: port), proxyProtocol: proxyProtocol, usesTLS: security != nil)
            ]
        }
    }

    private enum State {
        case idle
        case listening([BoundListener], acceptor: MultiThreadedEventLoopGroup?)
        case stopped
    }

    let configuration: Configuration
    let group: any EventLoopGroup
    package let context: ServerContext
    /// Serves clients that do not encrypt although they must: one response for each connection.
    let plainContext: ServerContext?
    let loops: [ObjectIdentifier: LoopContext]
    private let state = Mutex<State>(.idle)

    /// A server that answers with `responder`; it listens from `start` on.
    public convenience init(
        configuration: Configuration = Configuration(),
        group: any EventLoopGroup = .singletonMultiThreadedEventLoopGroup,
        logger: Logger = Logger(label: "HTTPKit"), responder: @escaping Handler
    ) {
        self.init(
            configuration: configuration, group: group,
            context: ServerContext(
                policy: ServerPolicy(
                    limits: configuration.limits, logger: logger, isProxy: configuration.isTrustedProxy),
                protocols: configuration.protocols, responder: .function(responder)))
    }

    package init(configuration: Configuration, group: any EventLoopGroup, context: ServerContext) {
        self.configuration = configuration
        self.group = group
        self.context = context
        plainContext = configuration.security.map { security in
            var limits = context.limits
            limits.maxRequestsPerConnection = 1
            return ServerContext(
                policy: context.policy.limited(to: limits), onRefused: context.onRefused,
                handlerScope: context.handlerScope, responder: .function(security.plainHandler))
        }
        var loops: [ObjectIdentifier: LoopContext] = [:]
        for eventLoop in group.makeIterator() {
            let loop = LoopContext(
                eventLoop: eventLoop, clientLog: context.clientLog, turnBudget: context.limits.turnBudget)
            let logger = context.logger
            loop.onBlockedLoop = { milliseconds, route in
                configuration.onBlockedLoop?(milliseconds, route)
                logger.warning(
                    "a handler held its event loop; use offload { } for what blocks",
                    metadata: ["milliseconds": "\(milliseconds)", "route": .clean(route)])
            }
            loops[ObjectIdentifier(eventLoop)] = loop
        }
        self.loops = loops
    }

    var security: (any ConnectionSecurity)? { configuration.security }
    /// The protocols that are offered to clients in a handshake, the preferred first.
    var applicationProtocols: [String] { context.protocols.map(\.name) + ["http/1.1"] }

    /// The addresses that are listened on; none before `start` and after `shutdown`.
    public var addresses: [SocketAddress] { listening.map(\.address) }

    /// The addresses that are listened on, and whether TLS is spoken there.
    package var listening: [(address: SocketAddress, usesTLS: Bool)] {
        state.withLock { state in
            guard case .listening(let listeners, _) = state else { return [] }
            return listeners.compactMap { listener in listener.address.map { ($0, listener.usesTLS) } }
        }
    }

    /// Binds and accepts connections.
    ///
    /// A name is looked up on another thread. Of several addresses of a name, those that this machine does not have are
    /// left out; `addresses` has all that are listened on. If one listener cannot listen, none does.
    ///
    /// - Returns: the first address that is listened on.
    /// - Throws: `BindError`, which names the address and the reason; `NoTrustedProxyError`; `NoCertificateError`.
    @discardableResult
    public func start() async throws -> SocketAddress {
        let wanted = configuration.allListeners
        if wanted.contains(where: { $0.proxyProtocol == .required }), context.policy.isProxy == nil {
            throw NoTrustedProxyError()
        }
        if security == nil, let secure = wanted.first(where: \.usesTLS) {
            throw NoCertificateError(listener: secure)
        }
        // With one loop there is nothing to serve while it is blocked.
        let isOwn = configuration.acceptors == nil && loops.count > 1
        let acceptor = isOwn ? EventLoopPool.shared.take(threads: 1) : nil
        do {
            let listeners = try await binder(on: configuration.acceptors ?? acceptor ?? group).bind(wanted)
            state.withLock { $0 = .listening(listeners, acceptor: acceptor) }
            guard let address = listeners.first?.address else { throw ChannelError.unknownLocalAddress }
            return address
        } catch {
            if let acceptor { EventLoopPool.shared.giveBack(acceptor) }
            throw error
        }
    }

    /// Binds listeners that accept on one of the loops of `acceptors`.
    func binder(on acceptors: any EventLoopGroup) -> ListenerBinder {
        let acceptor = acceptors.next()
        return ListenerBinder(
            bootstrap: { self.bootstrap(for: $0, on: acceptor) }, backlog: configuration.backlog)
    }

    /// Stops accepting, lets requests in flight finish, has upgraded connections say goodbye, and closes what is
    /// left after `time`, or at once if the task is cancelled.
    public func shutdown(within time: Duration) async {
        let before = state.withLock { state in
            defer { state = .stopped }
            return state
        }
        if case .listening(let listeners, let acceptor) = before {
            for listener in listeners { await listener.close() }
            if let acceptor { EventLoopPool.shared.giveBack(acceptor) }
        }
        context.handlerScope?.drain()
        let drained = drain(deadline: LoopInstant.now.advanced(by: time))
        await withTaskCancellationHandler {
            // Behind this, every connection that was accepted is counted.
            for loop in drained { try? await loop.get() }
            await context.allClosed()
        } onCancel: {
            _ = drain(deadline: .now)
        }
        context.clientLog.report(to: context.logger)
    }

    private func drain(deadline: LoopInstant) -> [EventLoopFuture<Void>] {
        loops.values.map { loop in loop.eventLoop.submit { loop.drain(deadline: deadline) } }
    }

    /// What the server has counted since it was made.
    public func statistics() async -> ServerStatistics {
        var sum = ServerStatistics()
        for loop in loops.values {
            let sumSoFar = sum
            let next = loop.eventLoop.submit {
                var next = sumSoFar
                loop.addCounts(to: &next)
                return next
            }
            sum = (try? await next.get()) ?? sum
        }
        return sum
    }
}
