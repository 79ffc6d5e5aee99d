/// Why a close frame cannot be sent (RFC 6455 §5.5.1, §7.4).
public enum CloseFrameError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The code must not appear in a close frame: see ``CloseCode/isAllowedOnWire``.
    case code(CloseCode)
    /// The reason is longer than 123 bytes of UTF-8.
    case reasonTooLong(bytes: Int)

    /// What is wrong, and what is allowed.
    public var description: String {
        switch self {
        case .code(let code):
            "close code \(code) cannot be sent: use 1000 to 1003, 1007 to 1014, or 3000 to 4999"
        case .reasonTooLong(let bytes):
            "a close reason of \(bytes) bytes cannot be sent: at most 123 fit"
        }
    }
}
