package import NIOCore

/// The close handshake: which ends have sent a close frame (RFC 6455 §7.1.2, §7.1.3).
package struct CloseHandshake {
    /// How far the close handshake is.
    package enum State: Equatable {
        /// Neither end has sent a close frame.
        case open
        /// This end has sent a close frame and waits for the peer's.
        case sent(since: NIODeadline)
        /// The peer has sent a close frame with this code. This end must reply.
        case received(CloseCode)
        /// Both close frames were exchanged, or the connection failed. Nothing more is sent or awaited.
        case done
    }

    /// How far the close handshake is.
    package private(set) var state: State = .open

    /// Whether messages may still be sent.
    package var isOpen: Bool { state == .open }

    /// Records that this end sends a close frame. Returns `false` if it must not, because it has sent one already.
    package mutating func send(at now: NIODeadline) -> Bool {
        switch state {
        case .open: state = .sent(since: now)
        case .received: state = .done
        case .sent, .done: return false
        }
        return true
    }

    /// Records the peer's close frame and returns who began to close. When both close frames cross, that is this end.
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

    /// Records that the connection failed: no reply is awaited (RFC 6455 §7.1.7).
    package mutating func fail() {
        state = .done
    }
}
