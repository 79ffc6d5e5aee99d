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
        /// The limits that clients are held to.
        public var limits = HTTPLimits()
        /// Whether connections to `host` and `port` begin with a PROXY header. `start` throws if it is required and there
        /// is no `isTrustedProxy`.
        public var proxyProtocol = ProxyProtocol.off
        /// Tells the proxies that are believed when they say for which client they forward. A context of the caller's
        /// own says so itself.
        public var isTrustedProxy: (@Sendable (SocketAddress) -> Bool)?
        /// Runs before the HTTP handler is added to a connection, on its event loop; TLS goes here.
        package var prepare: (@Sendable (any Channel) throws -> Void)?
        /// Whether `prepare` makes the connections secure: files are copied instead of sent by the kernel. A context of
        /// the caller's own says so itself.
        package var isSecure = false

        /// The defaults: 127.0.0.1, port 8080.
        public init() {}

        /// The listeners that are asked for.
        var allListeners: [HTTPListener] {
            guard listeners.isEmpty else { return listeners }
            return [HTTPListener(.hostname(host, port: port), proxyProtocol: proxyProtocol)]
        }
    }

    private enum State {
        case idle
        case listening([BoundListener])
        case stopped
    }

    private let configuration: Configuration
    private let group: any EventLoopGroup
    package let context: ServerContext
    private let loops: [ObjectIdentifier: LoopContext]
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
                responder: .function(responder)))
    }

    package init(configuration: Configuration, group: any EventLoopGroup, context: ServerContext) {
        self.configuration = configuration
        self.group = group
        self.context = context
        var loops: [ObjectIdentifier: LoopContext] = [:]
        for eventLoop in group.makeIterator() {
            let loop = LoopContext(
                eventLoop: eventLoop, clientLog: context.clientLog, turnBudget: context.limits.turnBudget)
            let logger = context.logger
            loop.onBlockedLoop = { milliseconds, route in
                logger.warning(
                    "a handler held its event loop; use offload { } for what blocks",
                    metadata: ["milliseconds": "\(milliseconds)", "route": .clean(route)])
            }
            loops[ObjectIdentifier(eventLoop)] = loop
        }
        self.loops = loops
    }

    /// The addresses that are listened on; none before `start` and after `shutdown`.
    public var addresses: [SocketAddress] {
        state.withLock { state in
            if case .listening(let listeners) = state { listeners.compactMap(\.address) } else { [] }
        }
    }

    /// Binds and accepts connections.
    ///
    /// A name is looked up on another thread. Of several addresses of a name, those that this machine does not have are
    /// left out; `addresses` has all that are listened on. If one listener cannot listen, none does.
    ///
    /// - Returns: the first address that is listened on.
    /// - Throws: `BindError`, which names the address and the reason; `NoTrustedProxyError`.
    @discardableResult
    public func start() async throws -> SocketAddress {
        let wanted = configuration.allListeners
        if wanted.contains(where: { $0.proxyProtocol == .required }), context.policy.isProxy == nil {
            throw NoTrustedProxyError()
        }
        let listeners = try await binder.bind(wanted)
        state.withLock { $0 = .listening(listeners) }
        guard let address = listeners.first?.address else { throw ChannelError.unknownLocalAddress }
        return address
    }

    var binder: ListenerBinder {
        ListenerBinder(bootstrap: { self.bootstrap(for: $0) }, backlog: configuration.backlog)
    }

    private func bootstrap(for listener: HTTPListener) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: configuration.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(.recvAllocator, value: Self.readBuffers)
            .childChannelOption(.writeBufferWaterMark, value: waterMark)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.accept(channel, listener) }
            }
    }

    /// Each channel keeps one read buffer: 1 KiB takes most requests and frames, and grows where more comes.
    private static let readBuffers = AdaptiveRecvByteBufferAllocator(
        minimum: 64, initial: 1024, maximum: 65536)

    private var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        let high = max(2, context.limits.writeBufferSize)
        return .init(low: high / 2, high: high)
    }

    /// Serves a connected socket, such as one end of a pair: no port is needed.
    package func adopt(socket: NIOBSDSocket.Handle) async throws {
        _ = try await ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: waterMark)
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try self.serve(channel) }
            }
            .withConnectedSocket(socket).get()
    }

    /// Puts the first handler on a channel that a listener has accepted, on its event loop.
    func accept(_ channel: any Channel, _ listener: HTTPListener) throws {
        switch listener.proxyProtocol {
        case .off: try serve(channel)
        case .required: try serveBehindHeader(channel)
        }
    }

    /// Puts the HTTP handler on a new channel, on its event loop.
    package func serve(_ channel: any Channel) throws {
        let loop = try loop(of: channel)
        let admission = context.connectionOpened(from: channel.remoteAddress)
        loop.statistics.connections += 1
        channel.closeFuture.whenComplete { [context] _ in
            loop.statistics.connections -= 1
            context.connectionClosed(admission)
        }
        let connection = HTTPConnection(
            server: context, loop: loop, refusal: admission.refusal, isSecure: configuration.isSecure)
        try begin(connection, on: channel)
    }

    /// Has a new channel wait for its PROXY header before it gets the HTTP handler.
    private func serveBehindHeader(_ channel: any Channel) throws {
        let loop = try loop(of: channel)
        let isTrusted = channel.remoteAddress.flatMap { context.policy.isProxy?($0) } == true
        let handler = ProxyHeaderHandler(
            server: context, loop: loop, isTrusted: isTrusted, isSecure: configuration.isSecure,
            begin: { try self.begin($1, on: $0) })
        loop.statistics.connections += 1
        channel.closeFuture.assumeIsolated().whenComplete { [context] _ in
            loop.statistics.connections -= 1
            context.connectionClosed(handler.admission)
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    private func begin(_ connection: HTTPConnection, on channel: any Channel) throws {
        try configuration.prepare?(channel)
        try channel.pipeline.syncOperations.addHandler(connection)
    }

    func loop(of channel: any Channel) throws -> LoopContext {
        guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
            throw ChannelError.inappropriateOperationForState
        }
        return loop
    }

    /// Stops accepting, lets requests in flight finish, has upgraded connections say goodbye, and closes what is
    /// left after `time`, or at once if the task is cancelled.
    public func shutdown(within time: Duration) async {
        let listeners = state.withLock { state -> [BoundListener] in
            defer { state = .stopped }
            if case .listening(let listeners) = state { return listeners }
            return []
        }
        for listener in listeners { await listener.close() }
        context.handlerScope?.drain()
        drain(deadline: LoopInstant.now.advanced(by: time))
        await withTaskCancellationHandler {
            await context.allClosed()
        } onCancel: {
            drain(deadline: .now)
        }
        context.clientLog.report(to: context.logger)
    }

    private func drain(deadline: LoopInstant) {
        for loop in loops.values { loop.eventLoop.execute { loop.drain(deadline: deadline) } }
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
