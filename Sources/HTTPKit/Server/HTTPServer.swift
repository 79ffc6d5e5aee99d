import HTTPTypes
public import Logging
public import NIOCore
public import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Listens on one or more addresses and serves HTTP/1.1 on them: each connection on one event loop, its handlers too.
public final class HTTPServer: Sendable {
    /// Where to listen, and how.
    public struct Configuration: Sendable {
        /// The address or name to listen on. A name stands for all of its addresses, `localhost` for 127.0.0.1 and ::1.
        public var host = "127.0.0.1"
        /// The port; 0 takes any that is free, the same one for all addresses.
        public var port = 8080
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
    }

    private enum State {
        case idle
        case listening([any Channel])
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
            if case .listening(let listeners) = state { listeners.compactMap(\.localAddress) } else { [] }
        }
    }

    /// Binds and accepts connections.
    ///
    /// A name is looked up on another thread. Of several addresses, those that this machine does not have are left out;
    /// `addresses` has all that are listened on.
    ///
    /// - Returns: the first address that is listened on.
    /// - Throws: `BindError`, which names host, port and reason; `NoTrustedProxyError`.
    @discardableResult
    public func start() async throws -> SocketAddress {
        if configuration.proxyProtocol == .required, context.policy.isProxy == nil {
            throw NoTrustedProxyError()
        }
        let (host, port) = (configuration.host, configuration.port)
        do {
            let candidates =
                if let known = HostLookup.knownAddresses(host, port: port) { known } else {
                    try await NIOThreadPool.singleton.runIfActive { try HostLookup.lookUp(host, port: port) }
                }
            let listeners = try await listen(on: candidates)
            guard let address = listeners.first?.localAddress else { throw ChannelError.unknownLocalAddress }
            state.withLock { $0 = .listening(listeners) }
            return address
        } catch {
            throw BindError(host: host, port: port, underlying: error)
        }
    }

    /// How often a free port is looked for that all addresses have.
    private static let freePortAttempts = 16

    /// Listens on all of the addresses that this machine has, on the same port.
    func listen(on candidates: [SocketAddress]) async throws -> [any Channel] {
        var attempt = 1
        while true {
            do {
                return try await bindAll(candidates)
            } catch let error as IOError
                where error.errnoCode == EADDRINUSE && configuration.port == 0
                && attempt < Self.freePortAttempts
            {
                // The port that was free at the first address is taken at another one.
                attempt += 1
            }
        }
    }

    private func bindAll(_ candidates: [SocketAddress]) async throws -> [any Channel] {
        let bootstrap = bootstrap
        var listeners: [any Channel] = []
        var missing: (any Error)?
        do {
            for var candidate in candidates {
                candidate.port = listeners.first?.localAddress?.port ?? configuration.port
                do {
                    listeners.append(try await bootstrap.bind(to: candidate).get())
                } catch let error as IOError where Self.isOfMissingAddress(error) {
                    missing = missing ?? error
                }
            }
            if listeners.isEmpty { throw missing ?? ChannelError.unknownLocalAddress }
            return listeners
        } catch {
            for listener in listeners { try? await listener.close() }
            throw error
        }
    }

    /// Whether the machine does not have an address, or no IPv6 at all.
    private static func isOfMissingAddress(_ error: IOError) -> Bool {
        [EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT].contains(error.errnoCode)
    }

    private var bootstrap: ServerBootstrap {
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
                channel.eventLoop.makeCompletedFuture { try self.accept(channel) }
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
    func accept(_ channel: any Channel) throws {
        switch configuration.proxyProtocol {
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
        let listeners = state.withLock { state -> [any Channel] in
            defer { state = .stopped }
            if case .listening(let listeners) = state { return listeners }
            return []
        }
        for listener in listeners { try? await listener.close() }
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

/// Why a server cannot listen.
public struct BindError: Error, CustomStringConvertible {
    /// The host that was asked for.
    public let host: String
    /// The port that was asked for.
    public let port: Int
    /// The error of the transport.
    public let underlying: any Error

    /// Host, port and reason, and what can be done.
    public var description: String {
        "cannot listen on \(HTTPServer.authority(host, port)): \(reason)"
    }

    private var reason: String {
        guard let error = underlying as? IOError else { return "\(underlying)" }
        let text = String(cString: strerror(error.errnoCode))
        return switch error.errnoCode {
        case EADDRINUSE: "\(text): another program has this port; choose one with --port"
        case EADDRNOTAVAIL: "\(text): this machine has no such address; choose one with --host"
        case EACCES: "\(text): ports below 1024 are for privileged programs; choose one with --port"
        default: text
        }
    }
}

extension HTTPServer {
    /// `host:port` as it stands in a URL: an IPv6 address has brackets there (RFC 3986 §3.2.2).
    package static func authority(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
