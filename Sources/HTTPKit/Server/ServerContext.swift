import HTTPTypes
package import Logging
import NIOCore
import Synchronization

/// What a module above puts around the tasks that run handlers. Those tasks serve many requests, so a request costs
/// nothing.
package struct HandlerScope: Sendable {
    /// Runs a task's work, for instance with task-local values.
    package let run: @Sendable (@Sendable () async -> Void) async -> Void
    /// Called once, when the server begins to drain.
    package let drain: @Sendable () -> Void

    package init(
        run: @escaping @Sendable (@Sendable () async -> Void) async -> Void,
        drain: @escaping @Sendable () -> Void
    ) {
        self.run = run
        self.drain = drain
    }
}

/// What the connections of one server share.
package final class ServerContext: Sendable {
    package let policy: ServerPolicy
    package let responder: Responder
    /// Stands around the tasks that run handlers.
    package let handlerScope: HandlerScope?
    /// Told of each request that could not be read.
    package let onRefused: (@Sendable (HTTPError) -> Void)?
    /// What connections may speak besides HTTP/1.1.
    package let protocols: [any ConnectionProtocol]
    /// How many bytes are read ahead of their use: a whole head, or as much content as may wait.
    let readAhead: Int
    /// `idleTimeout` and `bodyTimeout` in milliseconds: a `Duration` is slow to take apart.
    package let idleMilliseconds: Int64
    package let bodyMilliseconds: Int64
    /// How many bytes of responses gather before they are sent without waiting for the end of the turn.
    package let maxGathered: Int
    package let maxRequests: Int
    /// How slow a client may be that reads a response.
    package let writeLimits: WriteProgress.Limits
    private let open = Atomic<Int>(0)
    private let admitted = Atomic<Int>(0)
    private let handshakes = Atomic<Int>(0)
    private let addresses = AddressCounter()
    private let waiters = Mutex<[CheckedContinuation<Void, Never>]>([])

    package init(
        policy: ServerPolicy, onRefused: (@Sendable (HTTPError) -> Void)? = nil,
        handlerScope: HandlerScope? = nil, protocols: [any ConnectionProtocol] = [], responder: Responder
    ) {
        self.policy = policy
        self.onRefused = onRefused
        self.protocols = protocols
        self.handlerScope = handlerScope
        self.responder = responder
        let limits = policy.limits
        let line = Int(
            clamping: UInt64(max(0, limits.maxTargetLength)) + UInt64(max(0, limits.maxMethodLength)))
        let head = line.addingReportingOverflow(max(0, limits.maxFieldSectionSize))
        let start = LoopInstant(milliseconds: 0)
        idleMilliseconds = start.advanced(by: limits.idleTimeout).milliseconds
        bodyMilliseconds = start.advanced(by: limits.bodyTimeout).milliseconds
        maxGathered = limits.writeBufferSize / 4
        maxRequests = limits.maxRequestsPerConnection
        writeLimits = WriteProgress.Limits(
            timeout: limits.writeTimeout, rate: limits.minResponseRate, grace: limits.responseRateGracePeriod)
        readAhead = max(limits.bodyBufferSize, head.overflow ? .max : head.partialValue) &+ 256
    }

    package var limits: HTTPLimits { policy.limits }

    /// By when a connection without a request must have begun one, if the server begins to drain now.
    func endOfGracePeriod(on loop: LoopContext) -> LoopInstant {
        loop.clock.advanced(by: limits.drainGracePeriod)
    }

    package var logger: Logger { policy.logger }
    package var clientLog: ClientLog { policy.clientLog }

    /// How many connections are open, upgraded ones too.
    package var openConnections: Int { open.load(ordering: .relaxed) }

    /// Counts a connection in that comes from `address`.
    func connectionOpened(from address: SocketAddress?) -> Admission {
        let client = address.flatMap(counted)
        if let client, !addresses.countIn(client, limit: limits.maxConnectionsPerAddress) {
            open.wrappingAdd(1, ordering: .relaxed)
            return .refused(.tooManyOfAddress)
        }
        if connectionOpened() { return .admitted(client) }
        if let client { addresses.countOut(client) }
        return .refused(.tooMany)
    }

    /// Counts the client of a connection that was counted in without one, since a PROXY header has named it only now.
    func clientNamed(_ address: SocketAddress, _ admission: Admission) -> Admission {
        guard case .admitted(nil) = admission, let client = counted(address) else { return admission }
        if addresses.countIn(client, limit: limits.maxConnectionsPerAddress) { return .admitted(client) }
        // Who is refused takes no place.
        admitted.wrappingSubtract(1, ordering: .relaxed)
        return .refused(.tooManyOfAddress)
    }

    /// Counts a connection out that `connectionOpened(from:)` has counted in.
    func connectionClosed(_ admission: Admission) {
        if case .admitted(let client?) = admission { addresses.countOut(client) }
        connectionClosed(wasAdmitted: admission.refusal == nil)
    }

    /// Who counts among the connections of one address: neither a trusted proxy nor this machine itself.
    private func counted(_ address: SocketAddress) -> ClientNetwork? {
        guard let client = ClientNetwork(address), !client.isLoopback, policy.isProxy?(address) != true else {
            return nil
        }
        return client
    }

    /// Counts a connection in; `false` when there are too many.
    ///
    /// Those that are refused take no place: clients that try again and again would keep each other out for ever.
    func connectionOpened() -> Bool {
        open.wrappingAdd(1, ordering: .relaxed)
        if admitted.wrappingAdd(1, ordering: .relaxed).newValue <= limits.maxConnections { return true }
        admitted.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// Counts a handshake in; `false` when too many are unfinished.
    func handshakeBegins() -> Bool {
        let count = handshakes.wrappingAdd(1, ordering: .relaxed).newValue
        if count <= limits.maxUnfinishedHandshakes { return true }
        handshakes.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// Counts a handshake out that `handshakeBegins` has counted in.
    func handshakeEnded() { handshakes.wrappingSubtract(1, ordering: .relaxed) }

    func connectionClosed(wasAdmitted: Bool) {
        if wasAdmitted { admitted.wrappingSubtract(1, ordering: .relaxed) }
        guard open.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        for waiter in waiters.withLock({ waiters in
            let all = waiters
            waiters = []
            return all
        }) {
            waiter.resume()
        }
    }

    /// Returns when no connection is open.
    func allClosed() async {
        await withCheckedContinuation { continuation in
            let isEmpty = waiters.withLock { waiters in
                if openConnections == 0 { return true }
                waiters.append(continuation)
                return false
            }
            if isEmpty { continuation.resume() }
        }
    }
}

/// Whether a connection is served.
enum Admission {
    /// It is; of the client it is counted for, if it is.
    case admitted(ClientNetwork?)
    case refused(Refusal)

    /// Why it is not.
    enum Refusal {
        case tooMany, tooManyOfAddress

        /// What the client is told.
        var error: any ResponseError {
            switch self {
            case .tooMany: HTTPError.tooManyConnections
            case .tooManyOfAddress: HTTPFailure(.tooManyRequests, "too many connections from this address")
            }
        }
    }

    var refusal: Refusal? {
        if case .refused(let refusal) = self { return refusal }
        return nil
    }
}
