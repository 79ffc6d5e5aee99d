/// Why a connection is closed (RFC 6455 §7.4).
public struct CloseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    public let rawValue: UInt16

    /// Creates a code from its number. To close a socket with a code that must not be sent throws ``CloseFrameError``: see
    /// ``isAllowedOnWire``. Codes from 4000 to 4999 are for applications.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// 1000: the connection has fulfilled its purpose.
    public static let normal = CloseCode(rawValue: 1000)
    /// 1001: the server is shutting down, or the browser has left the page.
    public static let goingAway = CloseCode(rawValue: 1001)
    /// 1002: the peer violated the protocol.
    public static let protocolError = CloseCode(rawValue: 1002)
    /// 1003: this endpoint does not accept this kind of message.
    public static let unsupportedData = CloseCode(rawValue: 1003)
    /// 1005: the close frame had no code. Never sent on the wire.
    public static let noStatus = CloseCode(rawValue: 1005)
    /// 1006: the connection was closed without a close frame. Never sent on the wire.
    public static let abnormal = CloseCode(rawValue: 1006)
    /// 1007: the payload does not match its kind, such as text that is not UTF-8.
    public static let invalidPayload = CloseCode(rawValue: 1007)
    /// 1008: a message violates this endpoint's policy.
    public static let policyViolation = CloseCode(rawValue: 1008)
    /// 1009: a message is too large to process.
    public static let messageTooBig = CloseCode(rawValue: 1009)
    /// 1010: the server's handshake response lacks an extension that the client requires.
    public static let missingExtension = CloseCode(rawValue: 1010)
    /// 1011: the server cannot continue because of an unexpected condition.
    public static let internalError = CloseCode(rawValue: 1011)
    /// 1012: the server is restarting.
    public static let serviceRestart = CloseCode(rawValue: 1012)
    /// 1013: the server is overloaded. Try again later.
    public static let tryAgainLater = CloseCode(rawValue: 1013)
    /// 1014: a gateway received an invalid response from the server behind it.
    public static let badGateway = CloseCode(rawValue: 1014)
    /// 1015: the TLS handshake failed. Never sent on the wire.
    public static let tlsHandshake = CloseCode(rawValue: 1015)

    /// Whether a close frame may carry the code: 1000 to 1003, 1007 to 1014 (RFC 6455 §7.4.1 and its registry), 3000 to
    /// 4999.
    public var isAllowedOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// The number.
    public var description: String { String(rawValue) }
}
