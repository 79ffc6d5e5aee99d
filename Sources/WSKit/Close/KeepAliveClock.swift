package import NIOCore

/// When to ask a silent peer for a sign of life (RFC 6455 §5.5.2), the time being told.
///
/// Any octet counts as one: the pong of a peer that is sending a long message stands behind it.
package struct KeepAliveClock: Sendable {
    /// What is due.
    package enum Action: Equatable, Sendable {
        case nothing
        case ping
        case dead
    }

    private let interval: TimeAmount?
    private let timeout: TimeAmount
    private var heard: NIODeadline
    private var pinged: NIODeadline?

    /// A clock for a connection that opened at `now`.
    package init(limits: WSLimits, now: NIODeadline) {
        interval = limits.pingInterval.map { TimeAmount($0) }
        timeout = TimeAmount(limits.pongTimeout)
        heard = now
    }

    /// Notes that octets came.
    @inline(__always)
    package mutating func hear(at now: NIODeadline) {
        heard = now
        pinged = nil
    }

    /// Notes that a pong could not be heard: the peer is not dead without it, and is asked again in time.
    package mutating func excusePong(at now: NIODeadline) {
        if pinged != nil { hear(at: now) }
    }

    /// When something will be due; nil when never.
    package var deadline: NIODeadline? {
        guard let interval else { return nil }
        if let pinged { return pinged + timeout }
        return heard + interval
    }

    /// What is due at `now`.
    package mutating func tick(at now: NIODeadline) -> Action {
        guard let deadline, now >= deadline else { return .nothing }
        if pinged != nil { return .dead }
        pinged = now
        return .ping
    }
}
