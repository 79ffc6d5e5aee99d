/// Where and how a client connects.
public struct WebSocketDestination: Sendable {
    /// The address.
    public var address: WebSocketAddress
    /// Headers, subprotocols, compression, limits, proxy.
    public var options: WebSocketClientOptions

    /// Creates a destination from a parsed address.
    public init(_ address: WebSocketAddress, _ options: WebSocketClientOptions = WebSocketClientOptions()) {
        self.address = address
        self.options = options
    }

    /// Creates a destination.
    ///
    /// - Throws: `WebSocketAddressError` if `address` is not a valid `ws://…` or `wss://…` address.
    public init(_ address: String, _ options: WebSocketClientOptions = WebSocketClientOptions())
        throws(WebSocketAddressError)
    {
        self.init(try WebSocketAddress(address), options)
    }
}

/// One attempt of `WebSocketClient.keepConnected`.
public struct WebSocketAttempt: Sendable {
    /// The number of the attempt since a connection was last open, from 1.
    public let number: Int
    /// Why the previous attempt failed, or a `WebSocketClosed` if the connection was lost; `nil` for the first attempt.
    public let previousError: (any Error)?
}

/// The events of a client that is kept connected, in order.
public enum KeepConnectedEvent: Sendable {
    /// An attempt begins. Attempts are counted from 1 since a connection was last open.
    case connecting(attempt: Int)
    /// The connection is open. `body` runs after this event.
    case connected(WebSocket)
    /// The attempt failed. The next one begins after `retryIn`; `nil` means that there is none.
    case failed(any Error, retryIn: Duration?)
    /// The connection has ended. The next attempt begins after `retryIn`; `nil` means that there is none.
    case disconnected(CloseReason, retryIn: Duration?)
    /// The last event, which is sent once: `keepConnected` returns, or throws the error.
    case ended(error: (any Error)?)
}

extension WebSocketClient {
    /// Keeps a WebSocket open: connects and runs `body`. When the attempt fails or the connection is lost, it connects again
    /// after a pause.
    ///
    /// It returns when `body` returns while the connection is open, when `body` has closed the connection, and when the
    /// server has closed it with 1000.
    ///
    /// - Parameters:
    ///   - clock: measures the pauses.
    ///   - onEvent: receives each event in order, beginning with the first attempt. It is awaited.
    /// - Throws: errors of `body` that are not caused by the end of the connection; the last error when the policy gives up;
    ///   the first error that is not transient according to `ReconnectPolicy.isTransient`, for example when the server
    ///   rejects the handshake; `WebSocketAddressError`; `CancellationError`.
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

    /// Keeps a WebSocket open as `keepConnected(to:)` does, and calls `destination` before each attempt. Use it for tickets
    /// and tokens that expire, and for servers whose address changes.
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
    /// - Parameter destination: returns where to connect. An error that it throws counts as a failed attempt if it is
    ///   transient according to `ReconnectPolicy.isTransient`. Otherwise `keepConnected` throws it.
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
                guard let loss = try await serveConnected(socket, clock, onEvent, body) else { return }
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

    /// Runs `body` with a connection that has just opened, and reports the events.
    ///
    /// - Returns: why and after how long the connection was lost; `nil` if it was closed regularly.
    private func serveConnected(
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

    /// Runs `body` and closes the connection.
    ///
    /// - Returns: why the connection was lost; `nil` if it was closed regularly.
    private func serve(
        _ socket: WebSocket, _ body: (WebSocket) async throws -> Void
    ) async throws -> CloseReason? {
        try await closing(socket) { socket in
            do {
                try await body(socket)
            } catch let error as WebSocketClosed {
                // An error that the end of this socket caused is not a failure of `body`.
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
    /// Sleeps for a duration. Throws at once if the task is already cancelled.
    fileprivate func pause(for duration: Duration) async throws {
        try Task.checkCancellation()
        try await sleep(for: duration)
    }
}
