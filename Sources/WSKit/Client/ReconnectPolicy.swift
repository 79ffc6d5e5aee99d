/// When a disconnected client reconnects: after pauses that grow. Each pause is partly random, so that many clients do
/// not reconnect at the same time.
public struct ReconnectPolicy: Sendable {
    /// The upper bound of the first pause. Pauses are never shorter than half of `shortestDelay`, whatever this is.
    public var initialDelay: Duration = .milliseconds(250)
    /// The upper bound of all pauses, except those that the server requests.
    public var maxDelay: Duration = .seconds(30)
    /// The factor by which the upper bound grows with each pause. It starts again with `initialDelay` when a connection
    /// has lasted longer than the next pause. Pauses do not grow if this is below 1 or not a number.
    public var factor = 2.0
    /// How many consecutive attempts may fail before the client gives up; `nil` never gives up. A lost connection does
    /// not count as a failed attempt.
    public var maxAttempts: Int?
    /// The upper bound of the pause that a busy server may request with `Retry-After` (RFC 9110 §10.2.3).
    public var maxRetryAfter: Duration = .seconds(300)
    /// Returns whether it is worth trying again after an error.
    ///
    /// It is called for failed attempts, for errors of the `destination` closure of `keepConnected`, and, with a
    /// `WebSocketClosed`, for lost connections. When it returns `false`, `keepConnected` throws the error.
    /// `CancellationError` is never retried.
    public var isTransient: @Sendable (any Error) -> Bool = { ReconnectPolicy.isTransient($0) }

    /// A client never pauses for less than half of this, so that no policy and no server can make it spin.
    public static let shortestDelay = Duration.milliseconds(10)

    /// The default policy: at most 250 milliseconds for the first pause, at most 30 seconds later, and no maximum number of
    /// attempts.
    public init() {}

    /// Whether it is worth trying again by default. It is if a server or a proxy cannot be reached or is busy (408, 429,
    /// 5xx), and if a connection was lost (`CloseReason.isTransient`).
    public static func isTransient(_ error: any Error) -> Bool {
        switch error {
        case let error as WebSocketConnectError: error.isTransient
        case ClientHandshakeError.status(let status, _, _): isTransient(status: status)
        case let error as WebSocketClosed: error.reason?.isTransient ?? true
        default: false
        }
    }

    /// Whether this status means that a server is busy.
    static func isTransient(status: Int) -> Bool { status >= 500 || status == 429 || status == 408 }

    /// The pause before attempt `number`, which counts from 0. `random` must be within 0..<1.
    ///
    /// - Returns: a duration between half of the upper bound and the upper bound.
    public func delay(before number: Int, random: Double) -> Duration {
        bound(before: number) * (0.5 + 0.5 * min(max(random, 0), 1))
    }

    /// The upper bound of the pause before attempt `number`.
    func bound(before number: Int) -> Duration {
        let longest = max(maxDelay, Self.shortestDelay)
        var bound = max(initialDelay, Self.shortestDelay)
        var left = factor > 1 ? number : 0
        // With a factor very close to 1 this would take long, so the growth stops after 100,000 steps.
        while left > 0, bound < longest, number - left < 100_000 {
            // The next step would be above the longest pause, and might overflow.
            guard factor < longest / bound else { return longest }
            bound = bound * factor
            left -= 1
        }
        return min(bound, longest)
    }

    /// The pause that a server requests with its response, limited to ``maxRetryAfter``.
    func requested(by error: any Error) -> Duration {
        guard case ClientHandshakeError.status(_, _, let retryAfter?) = error else { return .zero }
        return min(retryAfter, max(maxRetryAfter, .zero))
    }
}

/// Counts the attempts of one client, and computes its pauses.
struct ReconnectSeries {
    private let policy: ReconnectPolicy
    /// The number of pauses since a connection lasted long enough.
    private var pauses = 0
    /// The number of failed attempts since a connection was last open.
    private(set) var failures = 0

    init(_ policy: ReconnectPolicy) { self.policy = policy }

    /// Records that a connection is open.
    mutating func opened() { failures = 0 }

    /// Records that a connection was lost. The pauses start again with the shortest only if the connection lasted longer
    /// than the next pause, so that a server that accepts and immediately closes is not flooded.
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

    /// Records that an attempt failed.
    ///
    /// - Parameter requested: the pause that the server requests. The pause is not shorter, and a random part is added.
    /// - Returns: the pause before the next attempt; `nil` if the client gives up.
    mutating func failed(random: Double, requested: Duration = .zero) -> Duration? {
        failures += 1
        if let most = policy.maxAttempts, failures >= most { return nil }
        let pause = pause(random)
        return requested > pause ? requested + pause * min(max(random, 0), 1) : pause
    }
}

extension CloseReason {
    /// Whether the problem may go away, so that it is worth connecting again.
    ///
    /// This is `false` if the peer closed with 1000, if this end closed for a reason other than a violation by the peer, and
    /// if the peer closed with 1002, 1003, 1007 or 1010, which say that it cannot understand this end (RFC 6455 §7.4.1).
    public var isTransient: Bool {
        if isByThisEnd { return false }
        guard initiator == .peer else { return true }
        switch code {
        case .normal, .protocolError, .unsupportedData, .invalidPayload, .missingExtension: return false
        default: return true
        }
    }

    /// Whether this end closed the connection for a reason other than a violation by the peer.
    var isByThisEnd: Bool { initiator == .local && isClean || cause == .closeTimeout }
}
