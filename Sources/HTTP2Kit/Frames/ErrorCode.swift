/// An error code of HTTP/2 (RFC 9113 §7), as RST_STREAM and GOAWAY carry it.
struct ErrorCode: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt32

    static let noError = ErrorCode(rawValue: 0x0)
    static let protocolError = ErrorCode(rawValue: 0x1)
    static let internalError = ErrorCode(rawValue: 0x2)
    static let flowControlError = ErrorCode(rawValue: 0x3)
    static let settingsTimeout = ErrorCode(rawValue: 0x4)
    static let streamClosed = ErrorCode(rawValue: 0x5)
    static let frameSizeError = ErrorCode(rawValue: 0x6)
    static let refusedStream = ErrorCode(rawValue: 0x7)
    static let cancel = ErrorCode(rawValue: 0x8)
    static let compressionError = ErrorCode(rawValue: 0x9)
    static let connectError = ErrorCode(rawValue: 0xA)
    static let enhanceYourCalm = ErrorCode(rawValue: 0xB)
    static let inadequateSecurity = ErrorCode(rawValue: 0xC)
    static let http11Required = ErrorCode(rawValue: 0xD)
}

/// What a peer has done wrong, and what ends by it (RFC 9113 §5.4).
enum HTTP2Error: Error, Equatable {
    /// The connection ends, with GOAWAY.
    case connection(ErrorCode, String)
    /// One stream ends, with RST_STREAM.
    case stream(UInt32, ErrorCode, String)

    static func malformed(_ reason: String) -> HTTP2Error { .connection(.protocolError, reason) }
    static func size(_ reason: String) -> HTTP2Error { .connection(.frameSizeError, reason) }
}
