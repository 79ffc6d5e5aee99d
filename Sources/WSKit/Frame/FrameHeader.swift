/// A frame header, which takes 2 to 14 bytes on the wire (RFC 6455 §5.2).
package struct FrameHeader: Sendable, Equatable {
    /// FIN: this is the last frame of its message.
    package var isFinal: Bool
    /// RSV1: this is the first frame of a compressed message (RFC 7692 §6).
    package var isCompressed: Bool
    /// What the frame carries.
    package var opcode: Opcode
    /// The masking key, with its first byte in the lowest bits; `nil` if the frame is not masked (RFC 6455 §5.3).
    package var mask: UInt32?
    /// The size of the payload in bytes.
    package var length: Int

    /// The size of the longest header: 2 bytes, 8 for the length, 4 for the key.
    package static let maxEncodedLength = 14
    /// The maximum payload size of a control frame (RFC 6455 §5.5).
    package static let maxControlLength = 125

    /// Creates a header.
    package init(
        isFinal: Bool = true, isCompressed: Bool = false, opcode: Opcode, mask: UInt32? = nil, length: Int
    ) {
        self.isFinal = isFinal
        self.isCompressed = isCompressed
        self.opcode = opcode
        self.mask = mask
        self.length = length
    }

    /// The size of the header on the wire in bytes.
    package var encodedLength: Int {
        2 + (length < 126 ? 0 : length <= 0xFFFF ? 2 : 8) + (mask == nil ? 0 : 4)
    }

    /// Parses a header at the start of `bytes`. Returns `nil` if the header is incomplete.
    ///
    /// Each byte is checked as soon as it is available, so that a violation is detected at its first byte.
    ///
    /// - Throws: every violation of RFC 6455 §5.2 and §5.5 that the header alone shows.
    package static func parse(_ bytes: Span<UInt8>, from role: Role, allowsCompression: Bool)
        throws(WSError) -> FrameHeader?
    {
        guard bytes.count > 0 else { return nil }
        let first = bytes[0]
        // RSV2 and RSV3 are for extensions that OnePort never negotiates.
        guard first & 0x30 == 0 else { throw .reservedBit }
        guard let opcode = Opcode(rawValue: first & 0x0F) else { throw .reservedOpcode(first & 0x0F) }
        let isFinal = first & 0x80 != 0
        let isCompressed = first & 0x40 != 0
        if isCompressed, !allowsCompression || opcode.isControl || opcode == .continuation {
            throw .reservedBit
        }
        if opcode.isControl, !isFinal { throw .fragmentedControl }

        guard bytes.count > 1 else { return nil }
        let second = bytes[1]
        let isMasked = second & 0x80 != 0
        guard isMasked == (role == .client) else { throw isMasked ? .unexpectedMask : .missingMask }
        let short = second & 0x7F
        if opcode.isControl, short > 125 { throw .controlTooLong }
        guard let (length, keyStart) = try parseLength(bytes, short: short) else { return nil }

        var header = FrameHeader(isFinal: isFinal, isCompressed: isCompressed, opcode: opcode, length: length)
        if isMasked {
            guard bytes.count >= keyStart + 4 else { return nil }
            header.mask =
                UInt32(bytes[keyStart]) | UInt32(bytes[keyStart + 1]) << 8
                | UInt32(bytes[keyStart + 2]) << 16 | UInt32(bytes[keyStart + 3]) << 24
        }
        return header
    }

    /// The length must be encoded in the fewest bytes, and its highest bit must be 0 (RFC 6455 §5.2).
    @inline(__always)
    private static func parseLength(_ bytes: Span<UInt8>, short: UInt8)
        throws(WSError) -> (length: Int, end: Int)?
    {
        if short < 126 { return (Int(short), 2) }
        if short == 126 {
            guard bytes.count >= 4 else { return nil }
            let length = Int(bytes[2]) << 8 | Int(bytes[3])
            guard length > 125 else { throw .lengthNotMinimal }
            return (length, 4)
        }
        guard bytes.count > 2 else { return nil }
        guard bytes[2] & 0x80 == 0 else { throw .lengthTooLarge }
        guard bytes.count >= 10 else { return nil }
        var length = 0
        for index in 2..<10 { length = length << 8 | Int(bytes[index]) }
        guard length > 0xFFFF else { throw .lengthNotMinimal }
        return (length, 10)
    }
}
