/// How a connection ended, as the application sees it.
public struct CloseReason: Sendable, Equatable, CustomStringConvertible {
    /// Who began to close.
    public enum Initiator: Sendable, Equatable {
        /// This end.
        case local
        /// The peer.
        case peer
        /// Nobody: the transport went away.
        case transport
    }

    /// What ended a connection without the peer's close frame.
    public enum Cause: Sendable, Equatable {
        /// The peer broke a rule or a limit.
        case violation(WSError)
        /// The peer's end of the transport closed, or it failed.
        case transportClosed
        /// The peer did not answer a ping in time.
        case pingTimeout
        /// The peer did not answer a close frame in time.
        case closeTimeout
        /// The peer did not read what was sent to it.
        case sendTimeout
    }

    /// The code; ``CloseCode/noStatus`` when the close frame had none, ``CloseCode/abnormal`` without one.
    public var code: CloseCode
    /// The text beside the code, often empty. It is the peer's, so not to be shown as markup or trusted.
    public var text: String
    /// Who began to close.
    public var initiator: Initiator
    /// Both close frames were exchanged, or will have been once the answer is sent (RFC 6455 §7.1.4).
    public var isClean: Bool
    /// What ended it otherwise; nil when clean.
    public var cause: Cause?

    /// A reason of those parts.
    public init(
        code: CloseCode, text: String = "", initiator: Initiator, isClean: Bool, cause: Cause? = nil
    ) {
        self.code = code
        self.text = text
        self.initiator = initiator
        self.isClean = isClean
        self.cause = cause
    }

    /// An end without close frames: 1006 (RFC 6455 §7.1.5).
    public static func lost(_ cause: Cause) -> CloseReason {
        CloseReason(code: .abnormal, initiator: .transport, isClean: false, cause: cause)
    }

    /// An end because the peer broke a rule or a limit, with the code that it was told.
    public static func failed(_ error: WSError) -> CloseReason {
        CloseReason(
            code: error.closeCode, text: error.reason, initiator: .local, isClean: false,
            cause: .violation(error))
    }

    /// The code, the text and who began, for logs; the text is quoted and its control characters escaped.
    public var description: String {
        text.isEmpty ? "\(code) (\(initiator))" : "\(code) \(text.debugDescription) (\(initiator))"
    }
}
