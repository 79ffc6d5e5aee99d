import HTTPKit
import Logging
import NIOCore

/// Closing: the close handshake (RFC 6455 §7), failures, and lost connections.
extension WebSocketConnection {
    private static let lingerTime = Duration.seconds(2)

    /// Sends a close frame, unless one was sent already. No messages are sent after it.
    func startClose(_ code: CloseCode, reason: String) {
        guard case .open = phase, machine.isOpen else { return }
        let now = now
        appendOutput { machine, out in machine.encodeClose(code, reason, into: &out, now: now) }
        transport.beginEnding()
        transport.resumeWriters()
    }

    @inline(never)
    func close(_ code: CloseCode, reason: String) async {
        guard loop.eventLoop.inEventLoop else {
            return await Task(executorPreference: loop) { await self.close(code, reason: reason) }.value
        }
        startClose(code, reason: reason)
        // Nobody reads the inbox any more, so messages before the peer's close frame must not block it.
        discardInbox()
        guard case .open = phase else { return }
        await withUnsafeContinuation { makeRareState().closeWaiters.append($0) }
    }

    /// Drops the received messages, so that the peer's close frame is read although the application no longer reads.
    private func discardInbox() {
        loop.turn {
            while input.inbox.pop() != nil {}
            input.inbox.end()
            input.deferredUntil = LoopInstant(milliseconds: 0)
            process()
            resumeReading()
        }
    }

    /// Handles the peer's close frame: replies unless this end has sent a close frame, and closes the transport.
    func receiveClose(_ reason: CloseReason) {
        closeReason = closeReason ?? reason
        if machine.isCloseReplyDue {
            let now = now
            appendOutput { machine, out in machine.encodeCloseReply(into: &out, now: now) }
        }
        beginLinger()
    }

    /// Fails the connection because of a violation: tells the peer why, and reads nothing more (RFC 6455 §7.1.7).
    func fail(_ error: WSError) {
        guard case .open = phase else { return }
        loop.clientLog.log("WebSocket failed", to: service.logger, on: loop) {
            ["route": .clean(service.route), "code": "\(error.closeCode)", "reason": .clean(error.reason)]
        }
        if case .callbacks(let handler) = service.consumer, let socket = application.socket {
            loop.begin(self)
            handler.onError(error, socket)
        }
        closeReason = closeReason ?? .failed(error)
        let now = now
        appendOutput { machine, out in machine.fail(with: error, into: &out, now: now) }
        beginLinger()
    }

    /// Flushes and closes the output. Input is read and dropped for a moment, because closing with unread input resets the
    /// TCP connection, and the reset could discard the close frame on its way.
    private func beginLinger() {
        transport.beginEnding()
        transport.flush()
        guard case .open = phase else { return }
        phase = .lingering(deadline: loop.now.advanced(by: Self.lingerTime))
        input.buffer = ByteBuffer()
        notifyEnd()
        resumeReading()
        transport.closeOutput()
    }

    /// Ends the connection after its transport has ended.
    func transportEnded(_ reason: CloseReason) {
        if case .closed = phase { return }
        closeReason = closeReason ?? reason
        phase = .closed
        input.buffer = ByteBuffer()
        notifyEnd()
        sockets.statistics.sockets -= 1
        loop.remove(self)
        transport.close()
        // A closure that still runs after its socket has closed is cancelled, but gets time to clean up first.
        if let task = application.task { loop.eventLoop.scheduleTask(in: .seconds(5)) { task.cancel() } }
    }

    /// Resumes all waiting tasks, leaves all rooms and calls `onClose`. Called once.
    private func notifyEnd() {
        let reason = closeReason ?? .lost(.transportClosed)
        gate.isClosed = true
        dropUnfinished()
        let left = memberships
        memberships = Memberships()
        for room in left.rooms { room.connectionEnded(self) }
        for topic in left.topics.values { topic.connectionEnded(self) }
        let rare = rareState
        rare?.pendingPong = nil
        rare?.latestMissed = []
        input.inbox.end()
        transport.resumeWriters()
        for waiter in rare?.closeWaiters ?? [] { waiter.resume() }
        rare?.closeWaiters = []
        for ping in rare?.pings ?? [] { ping.waiter.resume(returning: nil) }
        rare?.pings = []
        if case .callbacks(let handler) = service.consumer, let socket = application.socket {
            loop.begin(self)
            handler.onClose(reason, socket)
        }
        application.socket = nil
        application.place?.release()
        application.place = nil
    }
}
