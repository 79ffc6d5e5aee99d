import Logging
import NIOCore

/// Whether the client is still there, and what happens to its exchange when it is not, or when the server drains.
///
/// A client that has closed its side may wait for the response (RFC 9112 §9.6) or may be gone: TCP tells the two apart
/// only when something is sent. An event stream finds out by a heartbeat. Other responses have a limit each.
extension Exchange {
    /// The state that only some exchanges need, made now if it is not there.
    var rareState: RareExchangeState {
        if let rare { return rare }
        let made = RareExchangeState()
        rare = made
        return made
    }

    /// The client has closed its side while its request is served.
    package func clientClosedItsSide() {
        guard isServed else { return }
        rareState.isHalfClosed = true
        rareState.pause.restart()
        probeClient()
    }

    /// Sends a heartbeat now and at the next tick: the first one makes the kernel of a client that is gone reset the
    /// connection, the second one meets the reset where the system does not report it by itself.
    private func probeClient() {
        guard rare?.events?.heartbeat != nil else { return }
        rare?.events?.isProbeDue = true
        sendHeartbeat()
    }

    /// Looks, at each tick, after an exchange of a half-closed client or of an event stream.
    ///
    /// - Parameters:
    ///   - sent: how many bytes the transport has been given, all in all.
    ///   - unsent: how many of them wait for the client to read.
    /// - Returns: `false` when the client counts as gone.
    package func checkPresence(sent: Int, unsent: Int, now: LoopInstant) -> Bool {
        guard let rare, isServed else { return true }
        let start = rare.pause.look(sent: sent, unsent: unsent, now: now)
        if let events = rare.events, let heartbeat = events.heartbeat {
            if events.isProbeDue || now >= start.advanced(byMilliseconds: heartbeat) {
                rare.events?.isProbeDue = false
                sendHeartbeat()
            }
            return true
        }
        guard rare.isHalfClosed else { return true }
        let limits = connection.policy.limits
        return now
            < start.advanced(by: isUnsent ? limits.halfClosedHandlerTimeout : limits.halfClosedStreamTimeout)
    }

    private static let heartbeat = ByteBuffer(string: ":\n\n")

    /// Sends a comment, which readers of event streams ignore, unless an event is being written in several steps or
    /// the client does not read.
    private func sendHeartbeat() {
        guard let carrier, carrier.isWritable, let rare, let events = rare.events, rare.encodingWrites == 0
        else { return }
        do {
            try writePiece(try events.encoder?.encode(Self.heartbeat) ?? Self.heartbeat)
            carrier.flush()
        } catch {
            carrier.breakOff(self)
        }
    }

    // MARK: Event streams

    /// Sends the head of an event stream, and keeps the stream alive from now on.
    ///
    /// - Throws: `CancellationError` when the server drains: the stream has ended already.
    func beginEvents(heartbeat: Duration?, encoder: (any ContentEncoder)?) async throws {
        let loop = connection.loop
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.beginEvents(heartbeat: heartbeat, encoder: encoder) }
        }
        guard isServed else { throw CancellationError() }
        _ = try begin()
        let milliseconds = heartbeat.map { LoopInstant(milliseconds: 0).advanced(by: $0).milliseconds }
        rareState.events = EventStreamState(heartbeat: milliseconds, encoder: encoder)
        if loop.drainDeadline != nil {
            loop.turn { endEvents() }
            throw CancellationError()
        }
        if rareState.isHalfClosed { probeClient() }
    }

    /// Ends an event stream as a whole response, so that its client connects again, to another server. The handler is
    /// cancelled.
    private func endEvents() {
        guard let carrier, let events = rare?.events else { return }
        do {
            if let rest = try events.encoder?.finish() { try writePiece(rest) }
            try endStream()
        } catch {
            return carrier.breakOff(self)
        }
        carrier.stopHandler(of: self)
    }

    /// The server drains: handlers that want to know are told, and event streams end.
    package func serverDrains() {
        guard let rare, isServed else { return }
        let actions = rare.drainActions
        rare.drainActions = []
        for action in actions { action() }
        endEvents()
    }

    // MARK: Those who want to be told

    /// Calls `action` if the connection closes before the response is complete, at once if it is closed already.
    func onDisconnect(_ action: @escaping @Sendable () -> Void) {
        if connection.isClosed { return action() }
        guard !isComplete else { return }
        // A stream ends without its connection.
        guard carrier != nil else { return action() }
        rareState.disconnectActions.append(action)
    }

    /// Calls `action` if the server begins to drain before the response is complete, at once if it drains already.
    func onDrain(_ action: @escaping @Sendable () -> Void) {
        if connection.loop.drainDeadline != nil { return action() }
        if isServed { rareState.drainActions.append(action) }
    }
}
