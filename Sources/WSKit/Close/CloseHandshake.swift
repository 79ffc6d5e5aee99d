package import NIOCore

/// Who has sent a close frame (RFC 6455 §7.1.2, §7.1.3).
package struct CloseHandshake {
    /// How far the closing is.
    package enum State: Equatable {
        /// No close frame yet.
        case open
        /// Ours is sent, the peer's is awaited since then.
        case sent(since: NIODeadline)
        /// The peer's has come with this code, ours is due.
        case received(CloseCode)
        /// Both, or the connection has failed: nothing more is sent or awaited.
        case done
    }

    /// How far the closing is.
    package private(set) var state: State = .open

    /// Messages may still be sent.
    package var isOpen: Bool { state == .open }

    /// Notes that this end sends a close frame; false when it must not, because one was sent before.
    package mutating func send(at now: NIODeadline) -> Bool {
        switch state {
        case .open: state = .sent(since: now)
        case .received: state = .done
        case .sent, .done: return false
        }
        return true
    }

    /// Notes the peer's close frame and says who began. Close frames that crossed count as begun here.
    package mutating func receive(_ code: CloseCode) -> CloseReason.Initiator {
        switch state {
        case .open, .received:
            state = .received(code)
            return .peer
        case .sent, .done:
            state = .done
            return .local
        }
    }

    /// Notes that the connection failed: no answer is awaited (RFC 6455 §7.1.7).
    package mutating func fail() {
        state = .done
    }
}
