package import HTTPKit
import NIOCore

/// Timers: pings, lost peers, slow peers, and the drain at shutdown.
extension WebSocketConnection {
    package func tick(now: LoopInstant) {
        if let end = loop.drainDeadline, now >= end {
            closeReason = closeReason ?? .lost(.closeTimeout)
            transport.close()
            return
        }
        switch phase {
        case .lingering(let deadline):
            if now >= deadline { transport.close() }
            return
        case .closed: return
        case .open: break
        }
        if let drainAt = rareState?.drainAt, now >= drainAt {
            rareState?.drainAt = nil
            startClose(.goingAway, reason: "the server is shutting down")
        }
        if transport.look(now: now, service.limits.writeLimits).fault != nil {
            closeReason = closeReason ?? .lost(.sendTimeout)
            transport.close()
            return
        }
        if let error = checkMessagePace(now) { return fail(error) }
        if now >= lastMessage.advanced(by: limits.deflateIdleTimeout) {
            if machine.isAwake { machine.sleep() }
            input.inbox.shrink()
        }
        if hasUndecoded { process() }
        excuseSilence(now)
        switch machine.tick(at: NIODeadline(now)) {
        case .nothing: break
        case .sendPing(let payload):
            appendOutput { machine, out in machine.encodePing(payload, into: &out) }
        case .peerIsDead:
            closeReason = closeReason ?? .lost(.pingTimeout)
            transport.close()
        case .closeTimedOut:
            closeReason = closeReason ?? .lost(.closeTimeout)
            transport.close()
        }
    }

    /// Excuses missing pongs: this end cannot read them while it holds back reads, and the peer does not get the pings while
    /// it does not read. A peer that has closed its side is not excused, since it sends no more pongs.
    private func excuseSilence(_ now: LoopInstant) {
        guard machine.isOpen, !input.isClosed else { return }
        if !transport.isWritable {
            machine.excuseSilence(at: NIODeadline(now))
        } else if input.isReadHeldBack || input.isDecodingPaused || !mayReceive {
            // Pings are useful even without pongs: sending them makes the transport of a lost peer fail.
            machine.excusePong(at: NIODeadline(now))
        }
    }

    /// Begins to close with 1001 when the server shuts down. With many sockets, each waits for a random time within the
    /// first part of the drain time, so that thousands of clients do not reconnect at once.
    package func drain(deadline: LoopInstant) {
        let time = deadline.milliseconds - loop.now.milliseconds
        let spread = loop.memberCount < 100 ? 0 : min(3000, time / 4)
        makeRareState().drainAt = LoopInstant(
            milliseconds: loop.now.milliseconds + (spread > 0 ? .random(in: 0...spread) : 0))
        tick(now: loop.now)
    }
}

extension NIODeadline {
    /// The same point in time on NIO's clock.
    init(_ instant: LoopInstant) {
        self = .uptimeNanoseconds(UInt64(clamping: instant.milliseconds) &* 1_000_000)
    }
}
