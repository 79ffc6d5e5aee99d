/// When a client that was disconnected tries again: after pauses that grow, each drawn by chance so that many
/// clients do not come back at once.
public struct ReconnectPolicy: Sendable {
    /// The bound of the first pause.
    public var initialDelay: Duration = .milliseconds(250)
    /// The bound of the longest pause.
    public var maxDelay: Duration = .seconds(30)
    /// By how much the bound grows each time, until a connection has lasted longer than the pause that is due.
    public var factor = 2.0
    /// How many attempts in a row may fail before it gives up; `nil` never gives up. A connection that was open and
    /// was lost is no failed attempt.
    public var maxAttempts: Int?

    /// The defaults: a quarter of a second at first, half a minute at most, for ever.
    public init() {}

    /// The pause before attempt `number`, which counts from 0; `random` is within 0..<1.
    ///
    /// - Returns: between half of the bound and the bound.
    public func delay(before number: Int, random: Double) -> Duration {
        bound(before: number) * (0.5 + 0.5 * min(max(random, 0), 1))
    }

    func bound(before number: Int) -> Duration {
        var bound = initialDelay
        var left = factor > 1 ? number : 0
        while left > 0, bound < maxDelay {
            bound = bound * factor
            left -= 1
        }
        return min(bound, maxDelay)
    }

    /// Whether a server that answers with this status may answer otherwise later: it is busy, and does not refuse.
    static func mayPass(_ status: Int) -> Bool { status >= 500 || status == 429 || status == 408 }
}

/// What one client's attempts have come to, and how long it pauses before the next.
struct ReconnectSeries {
    private let policy: ReconnectPolicy
    /// Pauses since a connection lasted.
    private var pauses = 0
    /// Failed attempts since the connection was open.
    private var failures = 0

    init(_ policy: ReconnectPolicy) { self.policy = policy }

    /// The connection is open.
    mutating func opened() { failures = 0 }

    /// The connection, which was open for that long, was lost. A server that accepts and hangs up at once is not
    /// stormed: the pauses begin anew only when the connection lasted longer than the pause that is due.
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
    /// - Returns: the pause before the next one; `nil` gives up.
    mutating func failed(random: Double) -> Duration? {
        failures += 1
        if let most = policy.maxAttempts, failures >= most { return nil }
        return pause(random)
    }
}

extension WebSocketClient {
    /// Keeps a WebSocket open: connects, runs `body`, and when the connection was lost, or could not be made,
    /// connects again after the policy's pause.
    ///
    /// It returns when `body` returns while the connection is open or after it has closed it, and when the server
    /// closed with 1000.
    ///
    /// - Parameter clock: measures the pauses.
    /// - Throws: what `body` throws by itself; the last error when the policy gives up; the first when time cannot
    ///   mend it, as a server that refuses; `CancellationError`.
    public static func keepConnected(
        to address: String, _ options: WebSocketClientOptions = WebSocketClientOptions(),
        reconnect policy: ReconnectPolicy = ReconnectPolicy(), clock: any Clock<Duration> = ContinuousClock(),
        _ body: (WebSocket) async throws -> Void
    ) async throws {
        let address = try WebSocketAddress(address)
        var series = ReconnectSeries(policy)
        while true {
            let chance = Double.random(in: 0..<1)
            var socket: WebSocket?
            var pause: Duration?
            do {
                socket = try await shared.open(address, options)
            } catch let error where mayPass(error) {
                pause = series.failed(random: chance)
                guard pause != nil else { throw error }
            }
            if let socket {
                series.opened()
                var isEnd = false
                let lasted = try await clock.measure { isEnd = try await shared.serve(socket, body) }
                if isEnd { return }
                pause = series.lost(after: lasted, random: chance)
            }
            try Task.checkCancellation()
            try await clock.sleep(for: pause ?? .zero)
        }
    }

    /// Runs `body` to the end of its connection.
    ///
    /// - Returns: whether that was the end, and not a loss.
    private func serve(_ socket: WebSocket, _ body: (WebSocket) async throws -> Void) async throws -> Bool {
        try await closing(socket) { socket in
            do {
                try await body(socket)
            } catch let error as WebSocketClosed {
                // What the end of this very socket has made `body` throw is no failure of it.
                try Task.checkCancellation()
                guard await socket.closeReason != nil else { throw error }
            }
            try Task.checkCancellation()
            guard let reason = await socket.closeReason else { return true }
            return reason.code == .normal || reason.isByThisEnd
        }
    }

    private static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case let error as WebSocketConnectError: error.mayPass
        case ClientHandshakeError.status(let status, _): ReconnectPolicy.mayPass(status)
        default: false
        }
    }
}

extension CloseReason {
    /// Whether this end wanted to close, and not for something that the peer did.
    fileprivate var isByThisEnd: Bool { initiator == .local && isClean || cause == .closeTimeout }
}
