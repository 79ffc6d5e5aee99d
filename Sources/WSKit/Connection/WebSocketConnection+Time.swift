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
        if isStalled(now) || isSlow(now) {
            closeReason = closeReason ?? .lost(.sendTimeout)
            context?.close(promise: nil)
            return
        }
        if let error = lookAtMessage(now) { return fail(error) }
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
        } else if isReadHeld || isResting || !mayReceive {
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

    /// Whether octets wait that the peer should have taken by now at the least rate. A peer that takes a little now and
    /// then makes progress, and could keep its buffer full and its senders suspended for ever.
    private func isSlow(_ now: LoopInstant) -> Bool {
        // Of an idle socket nobody asks how much waits, and it keeps nothing for it.
        guard given > 0 || known?.pace != nil else { return false }
        let added = Int(given)
        given = 0
        guard limits.minSendRate > 0,
            let waiting = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes), waiting > 0
        else {
            known?.pace = nil
            return false
        }
        var pace = known?.pace ?? TakingPace()
        let isSlow = pace.isSlow(
            added: added, unsent: waiting, now: now, rate: limits.minSendRate,
            grace: limits.sendRateGracePeriod)
        setAside().pace = pace
        return isSlow
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
