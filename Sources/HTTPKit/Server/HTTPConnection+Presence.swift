import HTTPTypes
import Logging
import NIOCore

/// Whether the client is still there, and what happens to its request when it is not, or when the server drains.
///
/// A client that has closed its side may wait for the response (RFC 9112 §9.6) or may be gone: TCP tells the two apart
/// only when something is sent. An event stream finds out by a heartbeat. Other responses have a limit each.
extension HTTPConnection {
    /// The state that only some exchanges need, made now if it is not there.
    var rareState: RareExchangeState {
        if let rare { return rare }
        let made = RareExchangeState()
        rare = made
        return made
    }

    /// The client has closed its side while its request is served.
    func clientClosedItsSide() {
        guard case .exchange = phase, !isAnswerComplete else { return }
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

    /// Looks after an exchange of a half-closed client or of an event stream.
    func checkPresence(unsent: Int, _ now: LoopInstant) {
        guard isInputClosed || rare != nil, !isAnswerComplete else { return }
        let rare = rareState
        let start = rare.pause.look(sent: writeProgress.handedOver, unsent: unsent, now: now)
        if let events = rare.events, let heartbeat = events.heartbeat {
            if events.isProbeDue || now >= start.advanced(byMilliseconds: heartbeat) {
                rare.events?.isProbeDue = false
                sendHeartbeat()
            }
            return
        }
        guard isInputClosed else { return }
        let limit = isAnswerUnsent ? limits.halfClosedHandlerTimeout : limits.halfClosedStreamTimeout
        guard now >= start.advanced(by: limit) else { return }
        server.logger.debug("a client that closed its side counts as gone")
        breakOff()
    }

    private static let heartbeat = ByteBuffer(string: ":\n\n")

    /// Sends a comment, which readers of event streams ignore, unless an event is being written in several steps or
    /// the client does not read.
    private func sendHeartbeat() {
        guard let rare, let events = rare.events, rare.encodingWrites == 0,
            context?.channel.isWritable == true
        else { return }
        do {
            let piece = try events.encoder?.encode(Self.heartbeat) ?? Self.heartbeat
            try writePiece(piece, exchange: exchange)
            flush()
        } catch {
            closeNow()
        }
    }

    /// Sends the head of an event stream, and keeps the stream alive from now on.
    ///
    /// - Throws: `CancellationError` when the server drains: the stream has ended already.
    func beginEvents(
        heartbeat: Duration?, encoder: (any ContentEncoder)?, exchange: UInt64
    ) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run {
                try await self.beginEvents(heartbeat: heartbeat, encoder: encoder, exchange: exchange)
            }
        }
        try openAnswer(exchange: exchange)
        let milliseconds = heartbeat.map { LoopInstant(milliseconds: 0).advanced(by: $0).milliseconds }
        rareState.events = EventStreamState(heartbeat: milliseconds, encoder: encoder)
        if drainDeadline != nil {
            loop.turn { endEvents() }
            throw CancellationError()
        }
        if isInputClosed { probeClient() }
    }

    /// Ends an event stream as a whole response, so that its client connects again, to another server. The handler is
    /// cancelled.
    private func endEvents() {
        guard case .exchange = phase, let events = rare?.events else { return }
        do {
            if let rest = try events.encoder?.finish() { try writePiece(rest, exchange: exchange) }
            try endStream(exchange: exchange)
        } catch {
            return closeNow()
        }
        keepsAlive = false
        exchange &+= 1
        resumeWriters()
        cancelHandler()
        process()
    }

    /// The server drains: handlers that want to know are told, and event streams end.
    func tellOfDrain() {
        guard let rare, !isAnswerComplete else { return }
        let actions = rare.drainActions
        rare.drainActions = []
        for action in actions { action() }
        endEvents()
    }

    /// The connection has closed before the response was complete.
    func tellOfDisconnect() {
        guard let rare, !isAnswerComplete else { return }
        let actions = rare.disconnectActions
        rare.disconnectActions = []
        for action in actions { action() }
    }

    /// Calls `action` if the connection closes before the response of `exchange` is complete.
    func onDisconnect(_ action: @escaping @Sendable () -> Void, exchange: UInt64) {
        if isServed(exchange) { rareState.disconnectActions.append(action) }
    }

    /// Calls `action` if the server begins to drain before the response of `exchange` is complete.
    func onDrain(_ action: @escaping @Sendable () -> Void, exchange: UInt64) {
        if isServed(exchange) { rareState.drainActions.append(action) }
    }

    /// Whether the response of `exchange` is still to be sent, or to be completed.
    func isServed(_ exchange: UInt64) -> Bool {
        guard exchange == self.exchange, case .exchange = phase else { return false }
        return !isAnswerComplete
    }
}
