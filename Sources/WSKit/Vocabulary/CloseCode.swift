/// Why a connection is closed (RFC 6455 §7.4).
public struct CloseCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The number on the wire.
    public let rawValue: UInt16

    /// The code of that number. Sockets throw ``CloseFrameError`` when they are closed with a code that must not be sent:
    /// see ``isAllowedOnWire``. Applications use 4000 to 4999 for codes of their own.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// 1000: the purpose is fulfilled.
    public static let normal = CloseCode(rawValue: 1000)
    /// 1001: the server stops, or the page is left.
    public static let goingAway = CloseCode(rawValue: 1001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = CloseCode(rawValue: 1002)
    /// 1003: a kind of message that this endpoint does not take.
    public static let unsupportedData = CloseCode(rawValue: 1003)
    /// 1005: a close frame without a code; never on the wire.
    public static let noStatus = CloseCode(rawValue: 1005)
    /// 1006: the transport ended without a close frame; never on the wire.
    public static let abnormal = CloseCode(rawValue: 1006)
    /// 1007: content that is not of its announced kind, such as text that is not UTF-8.
    public static let invalidPayload = CloseCode(rawValue: 1007)
    /// 1008: against this endpoint's policy.
    public static let policyViolation = CloseCode(rawValue: 1008)
    /// 1009: too big to be processed.
    public static let messageTooBig = CloseCode(rawValue: 1009)
    /// 1010: the client misses an extension in the handshake's answer.
    public static let missingExtension = CloseCode(rawValue: 1010)
    /// 1011: the server cannot go on.
    public static let internalError = CloseCode(rawValue: 1011)
    /// 1012: the server restarts.
    public static let serviceRestart = CloseCode(rawValue: 1012)
    /// 1013: the server is overloaded; try again later.
    public static let tryAgainLater = CloseCode(rawValue: 1013)
    /// 1014: a gateway got an invalid answer.
    public static let badGateway = CloseCode(rawValue: 1014)
    /// 1015: the TLS handshake failed; never on the wire.
    public static let tlsHandshake = CloseCode(rawValue: 1015)

    /// A close frame may carry the code: 1000-1003, 1007-1014 (RFC 6455 §7.4.1 and its registry), 3000-4999.
    public var isAllowedOnWire: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// The number.
    public var description: String { String(rawValue) }
}
