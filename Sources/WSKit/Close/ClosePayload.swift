package import NIOCore

/// The payload of a close frame: empty, or a code and a reason (RFC 6455 §5.5.1).
package struct ClosePayload: Equatable, Sendable {
    /// The code; ``CloseCode/noStatus`` for an empty payload.
    package var code: CloseCode
    /// The reason.
    package var text: String

    /// The longest reason in bytes: 125 minus two for the code.
    package static let maxTextLength = FrameHeader.maxControlLength - 2

    /// Checks a code and a reason that the application wants to send.
    ///
    /// - Throws: ``CloseFrameError``.
    package static func check(_ code: CloseCode, reason: String) throws(CloseFrameError) {
        guard code.isAllowedOnWire else { throw .code(code) }
        let count = reason.utf8.count
        guard count <= maxTextLength else { throw .reasonTooLong(bytes: count) }
    }

    /// Parses a payload.
    ///
    /// - Throws: ``WSError/closePayload``, ``WSError/closeCode(_:)``, ``WSError/invalidUTF8``.
    package static func parse(_ payload: ByteBuffer) throws(WSError) -> ClosePayload {
        var rest = payload
        guard rest.readableBytes > 0 else { return ClosePayload(code: .noStatus, text: "") }
        guard let number = rest.readInteger(as: UInt16.self) else { throw .closePayload }
        let code = CloseCode(rawValue: number)
        guard code.isAllowedOnWire else { throw .closeCode(number) }
        guard UTF8Validator.isValid(rest.readableBytesSpan) else { throw .invalidUTF8 }
        return ClosePayload(code: code, text: String(buffer: rest))
    }

    /// The payload for a code and a reason. A reason that is too long is cut at a character. The payload is empty if the
    /// code may not appear on the wire.
    package static func encode(code: CloseCode, text: String) -> ByteBuffer {
        guard code.isAllowedOnWire else { return ByteBuffer() }
        var payload = ByteBuffer()
        payload.writeInteger(code.rawValue)
        if text.utf8.count <= maxTextLength {
            payload.writeString(text)
            return payload
        }
        for scalar in text.unicodeScalars {
            guard payload.readableBytes + scalar.utf8.count <= FrameHeader.maxControlLength else { break }
            payload.writeBytes(scalar.utf8)
        }
        return payload
    }
}
