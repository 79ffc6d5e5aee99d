/// When a client that was disconnected tries again: after pauses that grow, each partly random so that many clients do
/// not come back at once.
public struct ReconnectPolicy: Sendable {
    /// The longest first pause. Pauses are never shorter than half of `shortestDelay`, whatever this is.
    public var initialDelay: Duration = .milliseconds(250)
    /// The longest pause, except one that the server asks for.
    public var maxDelay: Duration = .seconds(30)
    /// How much longer each pause may be than the one before, until a connection has lasted longer than the pause that
    /// is due. Below 1, or not a number, pauses do not grow.
    public var factor = 2.0
    /// How many attempts in a row may fail before the client gives up; `nil` never gives up. A connection that was open
    /// and was lost is no failed attempt.
    public var maxAttempts: Int?
    /// A server that is busy may ask for a longer pause with `Retry-After` (RFC 9110 §10.2.3). More than this is cut.
    public var maxRetryAfter: Duration = .seconds(300)
    /// Whether it is worth trying again after this error. It is asked about failed attempts, about what the
    /// `destination` closure of `keepConnected` throws, and, with a `WebSocketClosed`, about lost connections. What
    /// answers `false` ends `keepConnected` with that error. `CancellationError` always does.
    public var isTransient: @Sendable (any Error) -> Bool = { ReconnectPolicy.isTransient($0) }

    /// A client never pauses for less than half of this, so that no policy and no server makes it spin.
    public static let shortestDelay = Duration.milliseconds(10)

    /// The defaults: a quarter of a second at first, half a minute at most, without end.
    public init() {}

    /// The default answer to whether it is worth trying again: for a server or a proxy that cannot be reached or that
    /// is busy (408, 429, 5xx), and for a connection that was lost (`CloseReason.isTransient`).
    public static func isTransient(_ error: any Error) -> Bool {
        switch error {
        case let error as WebSocketConnectError: error.isTransient
        case ClientHandshakeError.status(let status, _, _): isTransient(status: status)
        case let error as WebSocketClosed: error.reason?.isTransient ?? true
        default: false
        }
    }

    /// Whether a server that responds with this status is busy, and does not refuse.
    static func isTransient(status: Int) -> Bool { status >= 500 || status == 429 || status == 408 }

    /// The pause before attempt `number`, which counts from 0; `random` is within 0..<1.
    ///
    /// - Returns: between half of the bound and the bound.
    public func delay(before number: Int, random: Double) -> Duration {
        bound(before: number) * (0.5 + 0.5 * min(max(random, 0), 1))
    }

    /// The longest pause before attempt `number`.
    func bound(before number: Int) -> Duration {
        let longest = max(maxDelay, Self.shortestDelay)
        var bound = max(initialDelay, Self.shortestDelay)
        var left = factor > 1 ? number : 0
        // A factor so close to 1 that this takes long is no growth.
        while left > 0, bound < longest, number - left < 100_000 {
            // What is larger than the longest pause in one step need not be computed.
            guard factor < longest / bound else { return longest }
            bound = bound * factor
            left -= 1
        }
        return min(bound, longest)
    }

    /// The pause that a server has asked for with its response, cut to what the policy allows.
    func requested(by error: any Error) -> Duration {
        guard case ClientHandshakeError.status(_, _, let retryAfter?) = error else { return .zero }
        return min(retryAfter, max(maxRetryAfter, .zero))
    }
}

/// What one client's attempts have come to, and how long it pauses before the next.
struct ReconnectSeries {
    private let policy: ReconnectPolicy
    /// Pauses since a connection lasted.
    private var pauses = 0
    /// Failed attempts since the connection was open.
    private(set) var failures = 0

    init(_ policy: ReconnectPolicy) { self.policy = policy }

    /// The connection is open.
    mutating func opened() { failures = 0 }

    /// The connection, which was open for that long, was lost. The pauses begin anew only when the connection lasted
    /// longer than the pause that is due, so that a server that accepts and closes at once is not stormed.
    ///
    /// - Returns: the pause before the next attempt.
    mutating func lost(after lasted: Duration, random: Double) -> Duration {
        if lasted > policy.bound(before: pauses) { pauses = 0 }
        return pause(random)
    }

    private mutating func pause(_ random: Double) -> Duration {
        defer { pauses += 1 }
        return policy.delay(before: pauses, random: random)
    }

    /// An attempt failed.
    ///
    /// - Parameter requested: how long the server asks for. The pause is not shorter, and partly random on top of it.
    /// - Returns: the pause before the next attempt; `nil` gives up.
    mutating func failed(random: Double, requested: Duration = .zero) -> Duration? {
        failures += 1
        if let most = policy.maxAttempts, failures >= most { return nil }
        let pause = pause(random)
        return requested > pause ? requested + pause * min(max(random, 0), 1) : pause
    }
}

extension CloseReason {
    /// Whether the connection was lost in a way that time may mend, so that connecting again is worth trying.
    ///
    /// It is not after the peer's 1000, after a close that this end began and that was not for a fault of the peer's,
    /// and after 1002, 1003, 1007 and 1010, with which the peer says that it cannot understand this end (RFC 6455
    /// §7.4.1).
    public var isTransient: Bool {
        if isByThisEnd { return false }
        guard initiator == .peer else { return true }
        switch code {
        case .normal, .protocolError, .unsupportedData, .invalidPayload, .missingExtension: return false
        default: return true
        }
    }

    /// Whether this end wanted to close, and not for something that the peer did.
    var isByThisEnd: Bool { initiator == .local && isClean || cause == .closeTimeout }
}
