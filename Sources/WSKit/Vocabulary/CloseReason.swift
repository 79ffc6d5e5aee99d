/// Why and how a connection was closed.
public struct CloseReason: Sendable, Equatable, CustomStringConvertible {
    /// Who began to close.
    public enum Initiator: Sendable, Equatable {
        /// This end.
        case local
        /// The peer.
        case peer
        /// Neither end: the transport connection was lost.
        case transport
    }

    /// What ended a connection without a complete close handshake.
    public enum Cause: Sendable, Equatable {
        /// The peer violated the protocol or a limit.
        case violation(WSError)
        /// The peer closed the transport connection, or it failed.
        case transportClosed
        /// The peer did not reply to a ping in time.
        case pingTimeout
        /// The peer did not reply to a close frame in time.
        case closeTimeout
        /// The peer did not read fast enough.
        case sendTimeout
    }

    /// The close code. It is ``CloseCode/noStatus`` if the close frame had no code, and ``CloseCode/abnormal`` if there was
    /// no close frame.
    public var code: CloseCode
    /// The reason text of the close frame, often empty. When the peer has sent it, do not trust it or render it as markup.
    public var text: String
    /// Who began to close.
    public var initiator: Initiator
    /// Whether both close frames were exchanged, or will have been once the reply is sent (RFC 6455 §7.1.4).
    public var isClean: Bool
    /// What ended the connection if not a close handshake; `nil` when ``isClean``.
    public var cause: Cause?

    /// Creates a reason.
    public init(
        code: CloseCode, text: String = "", initiator: Initiator, isClean: Bool, cause: Cause? = nil
    ) {
        self.code = code
        self.text = text
        self.initiator = initiator
        self.isClean = isClean
        self.cause = cause
    }

    /// A connection that ended without a close frame: 1006 (RFC 6455 §7.1.5).
    public static func lost(_ cause: Cause) -> CloseReason {
        CloseReason(code: .abnormal, initiator: .transport, isClean: false, cause: cause)
    }

    /// A connection that failed because the peer violated the protocol or a limit, with the code that was sent to it.
    public static func failed(_ error: WSError) -> CloseReason {
        CloseReason(
            code: error.closeCode, text: error.reason, initiator: .local, isClean: false,
            cause: .violation(error))
    }

    /// The code, the text and who began to close, for logs. The text is quoted, and its control characters are escaped.
    public var description: String {
        text.isEmpty ? "\(code) (\(initiator))" : "\(code) \(text.debugDescription) (\(initiator))"
    }
}
