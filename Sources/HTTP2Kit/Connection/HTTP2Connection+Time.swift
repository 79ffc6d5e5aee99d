import DequeModule
import HTTPKit
import Logging
import NIOCore

/// What comes with time: deadlines, clients that do not read, the end of the drain.
extension HTTP2Connection {
    func tick(now: LoopInstant) {
        let (unsent, fault) = transport.look(now: now, server.writeLimits)
        if fault != nil {
            server.logger.debug("a client that does not read was disconnected")
            return transport.close()
        }
        if let drainDeadline = loop.drainDeadline, now >= drainDeadline { return transport.close() }
        switch phase {
        case .new, .preface, .settings:
            if now >= deadline { end(.settingsTimeout, "the preface took too long") }
        case .open: tickOpen(now: now, unsent: unsent)
        case .lingering(let end): if now >= min(deadline, end) { transport.close() }
        case .closing, .closed: break
        }
    }

    private func tickOpen(now: LoopInstant, unsent: Int) {
        if case .announced = goingAway, now >= goAwayDeadline { goAwayWasSeen() }
        if let frameDeadline = input.frameDeadline, now >= frameDeadline {
            return end(.protocolError, "a frame took too long")
        }
        if streams.isEmpty, running == 0, now >= deadline { return endIdle() }
        if isStalled(now: now) {
            return end(.flowControlError, "the window of the connection stays closed")
        }
        for stream in Array(streams.values) { stream.tick(now: now) }
    }

    private func endIdle() {
        goingAway = .final(lastStream: lastStream)
        transport.append { FrameWriter.writeGoAway(lastStream: lastStream, .noError, "idle", into: &$0) }
        close()
    }

    /// Whether the client has kept the window of the connection closed for too long, while streams wait for it.
    private func isStalled(now: LoopInstant) -> Bool {
        guard output.window <= 0, !output.ready.isEmpty else {
            progress = nil
            return false
        }
        var total = 0
        var waiting = 0
        for stream in output.ready {
            total &+= stream.queued.total
            waiting += stream.queued.count
        }
        let known = progress ?? WriteProgress(handedOver: total, unsent: waiting, now: now)
        progress = known
        return known.look(
            handedOver: total, unsent: waiting, isFull: true, now: now, limits: server.writeLimits) != nil
    }

    /// Bounds the time that the rest of a frame may take. The content of DATA frames may take the time that bodies may.
    func boundPartialFrame() {
        guard !FrameReader.isSlowFrameAllowed(input.buffer), input.frameDeadline == nil else { return }
        input.frameDeadline = loop.now.advanced(by: server.limits.headTimeout)
    }
}
