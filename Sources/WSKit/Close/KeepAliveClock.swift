package import NIOCore

/// Decides when to ping a silent peer, and when to give it up (RFC 6455 §5.5.2). Callers pass the time in.
///
/// Any received byte shows that the peer is alive: while a peer sends a long frame, its pong has to wait behind it.
package struct KeepAliveClock: Sendable {
    /// What the caller must do.
    package enum Action: Equatable, Sendable {
        case nothing
        case ping
        case dead
    }

    private let interval: TimeAmount?
    private let timeout: TimeAmount
    private var lastActivity: NIODeadline
    private var pingSent: NIODeadline?

    /// Creates a clock for a connection that opened at `now`.
    package init(limits: WSLimits, now: NIODeadline) {
        interval = limits.pingInterval.map { TimeAmount($0) }
        timeout = TimeAmount(limits.pongTimeout)
        lastActivity = now
    }

    /// Records that bytes were received.
    @inline(__always)
    package mutating func recordActivity(at now: NIODeadline) {
        lastActivity = now
        pingSent = nil
    }

    /// Records that this end could not have received a pong. The peer is not given up, and another ping follows after the
    /// interval.
    package mutating func excusePong(at now: NIODeadline) {
        if pingSent != nil { recordActivity(at: now) }
    }

    /// When ``tick(at:)`` will have something to do; `nil` if never.
    package var deadline: NIODeadline? {
        guard let interval else { return nil }
        if let pingSent { return pingSent + timeout }
        return lastActivity + interval
    }

    /// What the caller must do at `now`.
    package mutating func tick(at now: NIODeadline) -> Action {
        guard let deadline, now >= deadline else { return .nothing }
        if pingSent != nil { return .dead }
        pingSent = now
        return .ping
    }
}
