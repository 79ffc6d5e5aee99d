import HTTPKit
import Logging
import NIOCore

/// The end: the close handshake (RFC 6455 §7), failures, and a peer that vanishes.
extension WebSocketConnection {
    private static let lingerTime = Duration.seconds(2)

    /// Sends a close frame, once; messages go no further.
    func startClose(_ code: CloseCode, reason: String) {
        guard case .open = phase, machine.isOpen else { return }
        let now = now
        withOut { machine, out in machine.encodeClose(code, reason, into: &out, now: now) }
        wakeSenders()
    }

    @inline(never)
    func close(_ code: CloseCode, reason: String) async {
        guard loop.eventLoop.inEventLoop else {
            return await Task(executorPreference: loop) { await self.close(code, reason: reason) }.value
        }
        startClose(code, reason: reason)
        // Nobody reads the inbox any more, so what stands before the peer's close frame must not hold it back.
        discardInbox()
        guard case .open = phase else { return }
        await withUnsafeContinuation { setAside().closeWaiters.append($0) }
    }

    /// Lets the peer's close frame through where the application has stopped to read.
    private func discardInbox() {
        loop.turn {
            while inbox.pop() != nil {}
            inbox.end()
            deferredUntil = LoopInstant(milliseconds: 0)
            process()
            resumeReading()
        }
    }

    /// The peer's close frame has come: it is answered unless ours went before, and the transport is closed.
    func receiveClose(_ reason: CloseReason) {
        closeReason = closeReason ?? reason
        if machine.owesCloseReply {
            let now = now
            withOut { machine, out in machine.encodeCloseReply(into: &out, now: now) }
        }
        beginLinger()
    }

    /// The peer broke a rule or a limit: it is told why, and nothing more of it is read (RFC 6455 §7.1.7).
    func fail(_ error: WSError) {
        guard case .open = phase else { return }
        loop.clientLog.log("WebSocket failed", to: logger, on: loop) {
            ["route": .clean(route), "code": "\(error.closeCode)", "reason": .clean(error.reason)]
        }
        if case .callbacks(let handler) = consumer, let socket {
            loop.begin(self)
            handler.onError(error, socket)
        }
        closeReason = closeReason ?? .failed(error)
        let now = now
        withOut { machine, out in machine.fail(with: error, into: &out, now: now) }
        beginLinger()
    }

    /// Flushes and closes this side; what the peer still sends is dropped for a moment, since a reset could destroy
    /// the close frame on its way.
    private func beginLinger() {
        flush()
        guard case .open = phase else { return }
        phase = .lingering(deadline: loop.now.advanced(by: Self.lingerTime))
        inbound = ByteBuffer()
        ended()
        resumeReading()
        context?.close(mode: .output, promise: nil)
    }

    /// The transport has ended.
    func peerIsGone(_ reason: CloseReason) {
        if case .closed = phase { return }
        closeReason = closeReason ?? reason
        phase = .closed
        inbound = ByteBuffer()
        ended()
        loop.statistics.sockets -= 1
        loop.remove(self)
        context?.close(promise: nil)
        // Whatever still runs on behind a closed socket is told to stop, but given time to clean up.
        if let task { loop.eventLoop.scheduleTask(in: .seconds(5)) { task.cancel() } }
    }

    /// Tells everybody who waits or listens, once.
    private func ended() {
        let reason = closeReason ?? .lost(.transportClosed)
        gate.isClosed = true
        dropUnfinished()
        for membership in memberships { membership.connectionEnded(self) }
        memberships = []
        for subscription in subscriptions.values { subscription.connectionEnded(self) }
        subscriptions = [:]
        let left = known
        left?.owedPong = nil
        left?.latestMissed = []
        inbox.end()
        wakeSenders()
        for waiter in left?.closeWaiters ?? [] { waiter.resume() }
        left?.closeWaiters = []
        for ping in left?.pings ?? [] { ping.waiter.resume(returning: nil) }
        left?.pings = []
        if case .callbacks(let handler) = consumer, let socket {
            loop.begin(self)
            handler.onClose(reason, socket)
        }
        socket = nil
        onEnd?()
        onEnd = nil
    }
}
