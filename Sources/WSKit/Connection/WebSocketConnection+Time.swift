package import HTTPKit
import NIOCore

/// What happens to a connection as time passes: pings, peers that vanish or do not read, the drain.
extension WebSocketConnection {
    package func tick(now: LoopInstant) {
        if let end = loop.drainDeadline, now >= end {
            closeReason = closeReason ?? .lost(.closeTimeout)
            context?.close(promise: nil)
            return
        }
        switch phase {
        case .lingering(let deadline):
            if now >= deadline { context?.close(promise: nil) }
            return
        case .closed: return
        case .open: break
        }
        if let drainAt, now >= drainAt {
            self.drainAt = nil
            startClose(.goingAway, reason: "the server stops")
        }
        if isStalled(now) {
            closeReason = closeReason ?? .lost(.sendTimeout)
            context?.close(promise: nil)
            return
        }
        if now >= lastMessage.advanced(by: limits.deflateIdleTimeout) {
            if machine.isAwake { machine.sleep() }
            inbox.shrink()
        }
        if hasUndecoded { process() }
        excuseSilence(now)
        switch machine.tick(at: NIODeadline(now)) {
        case .nothing: break
        case .sendPing(let payload):
            withOut { machine, out in machine.encodePing(payload, into: &out) }
        case .peerIsDead:
            closeReason = closeReason ?? .lost(.pingTimeout)
            context?.close(promise: nil)
        case .closeTimedOut:
            closeReason = closeReason ?? .lost(.closeTimeout)
            context?.close(promise: nil)
        }
    }

    /// The pongs of a peer whose messages are held back, or that our pings do not reach, cannot be read. One that has
    /// closed its side sends none any more.
    private func excuseSilence(_ now: LoopInstant) {
        guard machine.isOpen, !isInputClosed else { return }
        if isFull {
            machine.excuseSilence(at: NIODeadline(now))
        } else if isReadHeld || !mayReceive {
            // Pings are of use without their pongs: the transport of a peer that is gone fails by them.
            machine.excusePong(at: NIODeadline(now))
        }
    }

    private func isStalled(_ now: LoopInstant) -> Bool {
        guard let channel = context?.channel, !channel.isWritable,
            let waiting = try? channel.syncOptions?.getOption(.bufferedWritableBytes)
        else {
            known?.stall = nil
            return false
        }
        guard let stall = known?.stall, waiting >= stall.octets else {
            setAside().stall = (now, waiting)
            return false
        }
        return now >= stall.since.advanced(by: limits.sendTimeout)
    }

    /// Says goodbye with 1001, at a moment of its own within the first part of the drain time, so that thousands of
    /// clients do not come back at once.
    package func drain(deadline: LoopInstant) {
        let time = deadline.milliseconds - loop.now.milliseconds
        let spread = loop.memberCount < 100 ? 0 : min(3000, time / 4)
        drainAt = LoopInstant(
            milliseconds: loop.now.milliseconds + (spread > 0 ? .random(in: 0...spread) : 0))
        tick(now: loop.now)
    }
}

extension NIODeadline {
    /// The same point on the same clock.
    init(_ instant: LoopInstant) {
        self = .uptimeNanoseconds(UInt64(clamping: instant.milliseconds) &* 1_000_000)
    }
}
