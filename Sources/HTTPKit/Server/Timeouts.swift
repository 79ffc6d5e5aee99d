import Logging
import NIOCore

/// What happens to a connection as time passes (RFC 9110 §15.5.9, RFC 9112 §9.3, §9.5).
extension HTTPConnection {
    func tick(now: LoopInstant) {
        if isStalled(now) {
            server.logger.debug("a client that does not read was disconnected")
            context?.close(promise: nil)
            return
        }
        if let drainDeadline, now >= drainDeadline {
            context?.close(promise: nil)
            return
        }
        switch phase {
        case .head:
            guard now >= deadline else { return }
            headTimedOut()
        case .exchange:
            checkBody(now)
        case .lingering:
            if now >= deadline { context?.close(promise: nil) }
        case .closed: break
        }
    }

    /// Before a request the connection is just closed; in its head the client is told.
    private func headTimedOut() {
        guard inbound.readableBytes > 0 || isInsideHead else { return closeNow() }
        refuse(.timeout("the request head"))
    }

    private func checkBody(_ now: LoopInstant) {
        guard !body.isDone else { return }
        if case .complete = answer {
            if now >= deadline { closeGracefully() }
            return
        }
        guard let bodyStream, bodyStream.isAwaited else { return }
        let elapsed = now.milliseconds - bodyStart.milliseconds
        let isSlow =
            limits.minBodyRate > 0 && now >= bodyStart.advanced(by: limits.bodyRateGracePeriod)
            && bodyStream.received < Int(clamping: elapsed) / 1000 * limits.minBodyRate
        if now >= deadline || isSlow { failBody(.timeout("the request content")) }
    }

    /// Whether octets wait for a client that has taken none for the write timeout.
    private func isStalled(_ now: LoopInstant) -> Bool {
        guard let channel = context?.channel,
            let waiting = try? channel.syncOptions?.getOption(.bufferedWritableBytes), waiting > 0
        else {
            stalledSince = nil
            return false
        }
        guard let since = stalledSince, waiting >= stalledBytes else {
            stalledSince = now
            stalledBytes = waiting
            return false
        }
        return now >= since.advanced(by: limits.writeTimeout)
    }

    func drain(deadline: LoopInstant) {
        drainDeadline = deadline
        keepsAlive = false
        if case .head = phase, inbound.readableBytes == 0, !isInsideHead { closeGracefully() }
    }
}
