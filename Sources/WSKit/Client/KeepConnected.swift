/// Where a client connects, and how.
public struct WebSocketDestination: Sendable {
    /// The address.
    public var address: WebSocketAddress
    /// Headers, subprotocols, compression, limits, proxy.
    public var options: WebSocketClientOptions

    /// A destination with an address that was read before.
    public init(_ address: WebSocketAddress, _ options: WebSocketClientOptions = WebSocketClientOptions()) {
        self.address = address
        self.options = options
    }

    /// A destination.
    ///
    /// - Throws: `WebSocketAddressError` when `address` is not `ws://…` or `wss://…`.
    public init(_ address: String, _ options: WebSocketClientOptions = WebSocketClientOptions())
        throws(WebSocketAddressError)
    {
        self.init(try WebSocketAddress(address), options)
    }
}

/// One attempt of `WebSocketClient.keepConnected`.
public struct WebSocketAttempt: Sendable {
    /// Counts the attempts since a connection was open last, from 1.
    public let number: Int
    /// Why the attempt before it failed, or a `WebSocketClosed` when the connection was lost; `nil` at first.
    public let previousError: (any Error)?
}

/// What happens to a client that is kept connected, in order.
public enum KeepConnectedEvent: Sendable {
    /// An attempt begins. It counts from 1 since a connection was open last.
    case connecting(attempt: Int)
    /// The connection is open. `body` runs after this.
    case connected(WebSocket)
    /// The attempt failed. The next begins after the pause; without one there is none.
    case failed(any Error, retryIn: Duration?)
    /// The connection, which was open, has ended. The next attempt begins after the pause; without one there is none.
    case disconnected(CloseReason, retryIn: Duration?)
    /// Nothing follows: `keepConnected` returns, or throws the error. It comes once.
    case ended(error: (any Error)?)
}

extension WebSocketClient {
    /// Keeps a WebSocket open: connects, runs `body`, and when the connection was lost, or could not be made,
    /// connects again after the policy's pause.
    ///
    /// It returns when `body` returns while the connection is open or after it has closed it, and when the server
    /// closed with 1000.
    ///
    /// - Parameters:
    ///   - clock: measures the pauses.
    ///   - onEvent: is told of each change, in order, and awaited. The first attempt is one, too.
    /// - Throws: what `body` throws by itself; the last error when the policy gives up; the first that
    ///   `ReconnectPolicy.isTransient` rejects, such as that of a server that refuses; `WebSocketAddressError`;
    ///   `CancellationError`.
    public static func keepConnected(
        to address: String, _ options: WebSocketClientOptions = WebSocketClientOptions(),
        reconnect policy: ReconnectPolicy = ReconnectPolicy(), clock: any Clock<Duration> = ContinuousClock(),
        onEvent: (KeepConnectedEvent) async -> Void = { _ in },
        _ body: (WebSocket) async throws -> Void
    ) async throws {
        let destination = try WebSocketDestination(address, options)
        try await keepConnected(
            reconnect: policy, clock: clock, destination: { _ in destination }, onEvent: onEvent, body: body)
    }

    /// Keeps a WebSocket open as `keepConnected(to:)` does, to a destination that is asked for before each attempt: for
    /// tickets and tokens that are good for a while, and for servers that move.
    ///
    /// ```swift
    /// try await WebSocketClient.keepConnected { attempt in
    ///     let token = try await tokens.current(refreshed: attempt.number > 1)
    ///     return try WebSocketDestination("ws://chat.example/rooms/lobby", .init {
    ///         $0.fields[.authorization] = "Bearer \(token)"
    ///     })
    /// } onEvent: { event in
    ///     if case .disconnected(let reason, let pause?) = event { show("\(reason); again in \(pause)") }
    /// } body: { socket in
    ///     for try await text in socket.texts { show(text) }
    /// }
    /// ```
    ///
    /// - Parameter destination: what it throws ends everything, unless `ReconnectPolicy.isTransient` takes it for
    ///   transient: then it is a failed attempt.
    public static func keepConnected(
        reconnect policy: ReconnectPolicy = ReconnectPolicy(), clock: any Clock<Duration> = ContinuousClock(),
        destination: (WebSocketAttempt) async throws -> WebSocketDestination,
        onEvent: (KeepConnectedEvent) async -> Void = { _ in },
        body: (WebSocket) async throws -> Void
    ) async throws {
        do {
            try await shared.keep(policy, clock, destination, onEvent, body)
        } catch {
            await onEvent(.ended(error: error))
            throw error
        }
        await onEvent(.ended(error: nil))
    }

    private func keep(
        _ policy: ReconnectPolicy, _ clock: any Clock<Duration>,
        _ destination: (WebSocketAttempt) async throws -> WebSocketDestination,
        _ onEvent: (KeepConnectedEvent) async -> Void, _ body: (WebSocket) async throws -> Void
    ) async throws {
        var series = ReconnectSeries(policy)
        var previousError: (any Error)?
        while true {
            let attempt = WebSocketAttempt(number: series.failures + 1, previousError: previousError)
            await onEvent(.connecting(attempt: attempt.number))
            let chance = Double.random(in: 0..<1)
            let (error, pause): (any Error, Duration?)
            switch try await result(of: attempt, destination) {
            case .failure(let failure):
                error = failure
                pause =
                    policy.isTransient(error)
                    ? series.failed(random: chance, requested: policy.requested(by: error)) : nil
                await onEvent(.failed(error, retryIn: pause))
            case .success(let socket):
                series.opened()
                guard let loss = try await live(socket, clock, onEvent, body) else { return }
                error = WebSocketClosed(reason: loss.reason)
                pause = policy.isTransient(error) ? series.lost(after: loss.lasted, random: chance) : nil
                await onEvent(.disconnected(loss.reason, retryIn: pause))
            }
            guard let pause else { throw error }
            previousError = error
            try await clock.pause(for: pause)
        }
    }

    /// Makes one attempt.
    ///
    /// - Throws: `CancellationError`.
    private func result(
        of attempt: WebSocketAttempt,
        _ destination: (WebSocketAttempt) async throws -> WebSocketDestination
    ) async throws -> Result<WebSocket, any Error> {
        try Task.checkCancellation()
        do {
            let target = try await destination(attempt)
            return .success(try await open(target.address, target.options))
        } catch {
            if Task.isCancelled || error is CancellationError { throw CancellationError() }
            return .failure(error)
        }
    }

    /// Runs `body` over a connection that has just opened.
    ///
    /// - Returns: why and after how long it was lost; `nil` when it was closed in order.
    private func live(
        _ socket: WebSocket, _ clock: any Clock<Duration>,
        _ onEvent: (KeepConnectedEvent) async -> Void, _ body: (WebSocket) async throws -> Void
    ) async throws -> (reason: CloseReason, lasted: Duration)? {
        var loss: CloseReason?
        let lasted = try await clock.measure {
            loss = try await serve(socket) { socket in
                await onEvent(.connected(socket))
                try await body(socket)
            }
        }
        if let loss { return (loss, lasted) }
        if let reason = await socket.closeReason { await onEvent(.disconnected(reason, retryIn: nil)) }
        return nil
    }

    /// Runs `body` to the end of its connection.
    ///
    /// - Returns: why the connection was lost; `nil` when it was not, but was closed in order.
    private func serve(
        _ socket: WebSocket, _ body: (WebSocket) async throws -> Void
    ) async throws -> CloseReason? {
        try await closing(socket) { socket in
            do {
                try await body(socket)
            } catch let error as WebSocketClosed {
                // What the end of this very socket has made `body` throw is no failure of it.
                try Task.checkCancellation()
                guard await socket.closeReason != nil else { throw error }
            }
            try Task.checkCancellation()
            guard let reason = await socket.closeReason else { return nil }
            return reason.code == .normal || reason.isByThisEnd ? nil : reason
        }
    }
}

extension Clock where Duration == Swift.Duration {
    /// Sleeps, unless the task is cancelled already.
    fileprivate func pause(for duration: Duration) async throws {
        try Task.checkCancellation()
        try await sleep(for: duration)
    }
}
