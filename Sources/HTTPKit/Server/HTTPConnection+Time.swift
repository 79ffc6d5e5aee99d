import Logging
import NIOCore

/// What happens to a connection as time passes (RFC 9110 §15.5.9, RFC 9112 §9.3, §9.5).
extension HTTPConnection {
    func tick(now: LoopInstant) {
        let (unsent, fault) = transport.look(now: now, server.writeLimits)
        if let fault {
            server.logger.debug(Self.reason(fault))
            return breakOff()
        }
        if let drainDeadline = loop.drainDeadline, now >= drainDeadline { return breakOff() }
        switch phase {
        case .head:
            if unsent > 0 {
                // The client is busy with the responses it asked for, which `writeTimeout` bounds.
                deadline = max(deadline, now.advanced(by: limits.headTimeout))
            } else if now >= deadline {
                headTimedOut()
            }
        case .exchange(let exchange):
            checkContent(of: exchange, now)
            if !exchange.checkPresence(sent: transport.handedOver, unsent: unsent, now: now) {
                server.logger.debug("a client that closed its side counts as gone")
                breakOff()
            }
        case .lingering(let end):
            if now >= min(deadline, end) { transport.close() }
        case .refused, .closing, .closed: break
        }
    }

    private static func reason(_ fault: WriteProgress.Fault) -> Logger.Message {
        switch fault {
        case .stalled: "a client that does not read was disconnected"
        case .slow: "a client that reads too slowly was disconnected"
        case .fileTooShort: "a file became shorter while it was sent"
        }
    }

    /// Before a request the connection is just closed; in its head the client is told.
    private func headTimedOut() {
        if case .head(hasBegun: false) = phase, !hasInput { return closeGracefully() }
        refuse(.timeout("the request head"))
    }

    private func checkContent(of exchange: Exchange, _ now: LoopInstant) {
        guard !content.isDone else { return }
        if exchange.isComplete {
            if now >= deadline { closeGracefully() }
            return
        }
        guard let stream = exchange.bodyStream, stream.isAwaited else { return }
        if now >= deadline || content.pace.isSlow(received: stream.received, now: now, limits: limits) {
            failContent(.timeout("the request content"), stream)
        }
    }

    func drain(deadline drainDeadline: LoopInstant) {
        stopPersisting()
        switch phase {
        case .head(hasBegun: false):
            // A request may be on its way.
            if !hasInput { deadline = min(deadline, server.endOfGracePeriod(on: loop)) }
        case .exchange(let exchange):
            exchange.serverDrains()
            process()
        case .head, .refused, .closing, .lingering, .closed: break
        }
    }
}
