import Logging
import NIOCore

/// What happens to a connection as time passes (RFC 9110 §15.5.9, RFC 9112 §9.3, §9.5).
extension HTTPConnection {
    func tick(now: LoopInstant) {
        let waiting = unsentOctets
        if let reason = reasonToBreakOff(unsent: waiting, now) {
            server.logger.debug(reason)
            return breakOff()
        }
        if let drainDeadline, now >= drainDeadline { return breakOff() }
        switch phase {
        case .head:
            if waiting > 0 {
                // The client is busy with the answers it asked for, which `writeTimeout` bounds.
                deadline = max(deadline, now.advanced(by: limits.headTimeout))
            } else if now >= deadline {
                headTimedOut()
            }
        case .exchange:
            checkBody(now)
            checkPresence(unsent: waiting, now)
        case .lingering(let end):
            if now >= min(deadline, end) { context?.close(promise: nil) }
        case .closing, .closed: break
        }
    }

    private func reasonToBreakOff(unsent: Int, _ now: LoopInstant) -> Logger.Message? {
        // Both look at what was sent since the last tick.
        let isSlow = writeProgress.isSlow(unsent: unsent, now: now, limits: limits)
        if writeProgress.isStalled(unsent: unsent, now: now, timeout: limits.writeTimeout) {
            return "a client that does not read was disconnected"
        }
        if isSlow { return "a client that reads too slowly was disconnected" }
        return isFileShort ? "a file became shorter while it was sent" : nil
    }

    /// Before a request the connection is just closed; in its head the client is told.
    private func headTimedOut() {
        guard inbound.readableBytes > 0 || isReadingHead else { return closeGracefully() }
        refuse(.timeout("the request head"))
    }

    private func checkBody(_ now: LoopInstant) {
        guard !body.isDone else { return }
        if case .complete = answer {
            if now >= deadline { closeGracefully() }
            return
        }
        guard let bodyStream, bodyStream.isAwaited else { return }
        if now >= deadline || bodyPace.isSlow(received: bodyStream.received, now: now, limits: limits) {
            failBody(.timeout("the request content"))
        }
    }

    /// How many octets the transport has not been able to pass on yet.
    private var unsentOctets: Int {
        guard writeProgress.mayBeUnsent else { return 0 }
        return (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// What a file no longer has can never be sent; the transport would try for ever.
    private var isFileShort: Bool {
        guard let sending else { return false }
        return !sending.reaches(sending.offset + sending.length)
    }

    func drain(deadline: LoopInstant) {
        drainDeadline = deadline
        keepsAlive = false
        switch phase {
        case .head: if inbound.readableBytes == 0, !isReadingHead { closeGracefully() }
        case .exchange:
            tellOfDrain()
            process()
        case .closing, .lingering, .closed: break
        }
    }
}

/// Whether a client takes what is sent to it.
struct WriteProgress {
    /// How many octets the transport has been given, all in all.
    var handedOver = 0
    private var sent = 0
    private var since: LoopInstant?
    /// How much had been handed over at the last look.
    private var expected = 0
    private var pace = TakingPace()

    /// Whether anything may be left since the last look.
    var mayBeUnsent: Bool { sent != handedOver }

    /// Whether octets wait for a client that has taken none for `timeout`.
    mutating func isStalled(unsent: Int, now: LoopInstant, timeout: Duration) -> Bool {
        let sentNow = handedOver &- unsent
        guard unsent > 0, sentNow == sent, let since else {
            sent = sentNow
            since = unsent > 0 ? now : nil
            return false
        }
        return now >= since.advanced(by: timeout)
    }

    /// Whether octets wait that should have been taken by now at the least rate.
    mutating func isSlow(unsent: Int, now: LoopInstant, limits: HTTPLimits) -> Bool {
        let added = handedOver &- expected
        expected = handedOver
        return pace.isSlow(
            added: added, unsent: unsent, now: now, rate: limits.minResponseRate,
            grace: limits.responseRateGracePeriod)
    }
}

/// By when a peer is to have taken what waits for it.
package struct TakingPace: Sendable {
    private var due: LoopInstant?

    /// Nothing waits yet.
    package init() {}

    /// Whether octets wait that should have been taken by now at `rate`, in octets per second.
    ///
    /// What waits is given its time as a whole, and what comes behind it adds its own: the kernel takes octets in
    /// bursts, many seconds apart when a peer is slow, so that a rate over a few seconds would say nothing.
    ///
    /// - Parameters:
    ///   - added: how much was handed to the transport since the last look.
    ///   - unsent: how much waits there.
    ///   - grace: how much longer than at `rate` it may take.
    package mutating func isSlow(
        added: Int, unsent: Int, now: LoopInstant, rate: Int, grace: Duration
    ) -> Bool {
        guard unsent > 0, rate > 0 else {
            due = nil
            return false
        }
        func time(for octets: Int) -> Int64 {
            let (product, overflow) = octets.multipliedReportingOverflow(by: 1000)
            return overflow ? .max : Int64(product / rate)
        }
        // Who was faster than need be has gained nothing by it for what comes later.
        let latest = now.advanced(by: grace).advanced(byMilliseconds: time(for: unsent))
        let due = due.map { min($0.advanced(byMilliseconds: time(for: added)), latest) } ?? latest
        self.due = due
        return now >= due
    }
}

/// How fast a client sends a body, from its first byte on, counting only the time that a handler waits for it.
struct BodyPace {
    private var hasBegun = false
    private var waited: Int64 = 0
    private var since: LoopInstant?

    /// The handler begins to wait.
    mutating func wanted(at now: LoopInstant) {
        if since == nil { since = now }
    }

    /// Content has come.
    mutating func arrived(at now: LoopInstant) {
        stopWaiting(at: now)
        if !hasBegun {
            hasBegun = true
            waited = 0
        }
    }

    /// The handler waits no longer.
    mutating func stopWaiting(at now: LoopInstant) {
        if let since { waited += max(0, now.milliseconds - since.milliseconds) }
        since = nil
    }

    /// Whether the client has been waited for longer than the grace period, since the first byte, and is slower than the
    /// least rate.
    func isSlow(received: Int, now: LoopInstant, limits: HTTPLimits) -> Bool {
        let total = waited + (since.map { max(0, now.milliseconds - $0.milliseconds) } ?? 0)
        let elapsed = LoopInstant(milliseconds: total)
        guard hasBegun, limits.minBodyRate > 0,
            elapsed >= LoopInstant(milliseconds: 0).advanced(by: limits.bodyRateGracePeriod)
        else { return false }
        let (wanted, overflow) = Int(clamping: total / 1000).multipliedReportingOverflow(
            by: limits.minBodyRate)
        return overflow || received < wanted
    }
}
