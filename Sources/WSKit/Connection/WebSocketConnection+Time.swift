package import HTTPKit
import NIOCore

/// Timers: pings, lost peers, slow peers, and the drain at shutdown.
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
            startClose(.goingAway, reason: "the server is shutting down")
        }
        if isStalled(now) || isSlow(now) {
            closeReason = closeReason ?? .lost(.sendTimeout)
            context?.close(promise: nil)
            return
        }
        if let error = checkMessagePace(now) { return fail(error) }
        if now >= lastMessage.advanced(by: limits.deflateIdleTimeout) {
            if machine.isAwake { machine.sleep() }
            inbox.shrink()
        }
        if hasUndecoded { process() }
        excuseSilence(now)
        switch machine.tick(at: NIODeadline(now)) {
        case .nothing: break
        case .sendPing(let payload):
            appendOutput { machine, out in machine.encodePing(payload, into: &out) }
        case .peerIsDead:
            closeReason = closeReason ?? .lost(.pingTimeout)
            context?.close(promise: nil)
        case .closeTimedOut:
            closeReason = closeReason ?? .lost(.closeTimeout)
            context?.close(promise: nil)
        }
    }

    /// Excuses missing pongs: this end cannot read them while it holds back reads, and the peer does not get the pings while
    /// it does not read. A peer that has closed its side is not excused, since it sends no more pongs.
    private func excuseSilence(_ now: LoopInstant) {
        guard machine.isOpen, !isInputClosed else { return }
        if isFull {
            machine.excuseSilence(at: NIODeadline(now))
        } else if isReadHeldBack || isDecodingPaused || !mayReceive {
            // Pings are useful even without pongs: sending them makes the transport of a lost peer fail.
            machine.excusePong(at: NIODeadline(now))
        }
    }

    private func isStalled(_ now: LoopInstant) -> Bool {
        guard let channel = context?.channel, !channel.isWritable,
            let waiting = try? channel.syncOptions?.getOption(.bufferedWritableBytes)
        else {
            rareState?.stall = nil
            return false
        }
        guard let stall = rareState?.stall, waiting >= stall.bytes else {
            makeRareState().stall = (now, waiting)
            return false
        }
        return now >= stall.since.advanced(by: limits.sendTimeout)
    }

    /// Whether the peer reads more slowly than the minimum rate. A peer that reads a little now and then does make progress,
    /// and could otherwise keep the send buffer full and senders suspended forever.
    private func isSlow(_ now: LoopInstant) -> Bool {
        // An idle socket is not measured and needs no state for this.
        guard writtenSinceRateCheck > 0 || rareState?.pace != nil else { return false }
        let added = Int(writtenSinceRateCheck)
        writtenSinceRateCheck = 0
        guard limits.minSendRate > 0,
            let waiting = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes), waiting > 0
        else {
            rareState?.pace = nil
            return false
        }
        var pace = rareState?.pace ?? TakingPace()
        let isSlow = pace.isSlow(
            added: added, unsent: waiting, now: now, rate: limits.minSendRate,
            grace: limits.sendRateGracePeriod)
        makeRareState().pace = pace
        return isSlow
    }

    /// Begins to close with 1001 when the server shuts down. With many sockets, each waits for a random time within the
    /// first part of the drain time, so that thousands of clients do not reconnect at once.
    package func drain(deadline: LoopInstant) {
        let time = deadline.milliseconds - loop.now.milliseconds
        let spread = loop.memberCount < 100 ? 0 : min(3000, time / 4)
        drainAt = LoopInstant(
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
