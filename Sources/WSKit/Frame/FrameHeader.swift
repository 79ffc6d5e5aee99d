/// The 2 to 14 octets before a frame's payload (RFC 6455 §5.2).
package struct FrameHeader: Sendable, Equatable {
    /// FIN: the last frame of its message.
    package var isFinal: Bool
    /// RSV1: the first frame of a compressed message (RFC 7692 §6).
    package var isCompressed: Bool
    /// What the frame carries.
    package var opcode: Opcode
    /// The masking key, its first octet lowest; nil when the frame is not masked (RFC 6455 §5.3).
    package var mask: UInt32?
    /// The octets of payload that follow.
    package var length: Int

    /// The longest header: 2 octets, 8 of length, 4 of key.
    package static let maxEncodedLength = 14
    /// The most that a control frame may carry (RFC 6455 §5.5).
    package static let maxControlLength = 125

    /// A header of those fields.
    package init(
        isFinal: Bool = true, isCompressed: Bool = false, opcode: Opcode, mask: UInt32? = nil, length: Int
    ) {
        self.isFinal = isFinal
        self.isCompressed = isCompressed
        self.opcode = opcode
        self.mask = mask
        self.length = length
    }

    /// How many octets the header takes on the wire.
    package var encodedLength: Int {
        2 + (length < 126 ? 0 : length <= 0xFFFF ? 2 : 8) + (mask == nil ? 0 : 4)
    }

    /// Reads a header from the start of `octets`; nil when it is not all there yet.
    ///
    /// Each octet is judged as soon as it is there, so that a violation is found at its first octet.
    ///
    /// - Throws: every violation of RFC 6455 §5.2 and §5.5 that the header alone shows.
    package static func parse(_ octets: Span<UInt8>, from role: Role, allowsCompression: Bool)
        throws(WSError) -> FrameHeader?
    {
        guard octets.count > 0 else { return nil }
        let first = octets[0]
        // RSV2 and RSV3 belong to extensions that are never negotiated here.
        guard first & 0x30 == 0 else { throw .reservedBit }
        guard let opcode = Opcode(rawValue: first & 0x0F) else { throw .reservedOpcode(first & 0x0F) }
        let isFinal = first & 0x80 != 0
        let isCompressed = first & 0x40 != 0
        if isCompressed, !allowsCompression || opcode.isControl || opcode == .continuation {
            throw .reservedBit
        }
        if opcode.isControl, !isFinal { throw .fragmentedControl }

        guard octets.count > 1 else { return nil }
        let second = octets[1]
        let isMasked = second & 0x80 != 0
        guard isMasked == (role == .client) else { throw isMasked ? .unexpectedMask : .missingMask }
        let short = second & 0x7F
        if opcode.isControl, short > 125 { throw .controlTooLong }
        guard let (length, keyStart) = try parseLength(octets, short: short) else { return nil }

        var header = FrameHeader(isFinal: isFinal, isCompressed: isCompressed, opcode: opcode, length: length)
        if isMasked {
            guard octets.count >= keyStart + 4 else { return nil }
            header.mask =
                UInt32(octets[keyStart]) | UInt32(octets[keyStart + 1]) << 8
                | UInt32(octets[keyStart + 2]) << 16 | UInt32(octets[keyStart + 3]) << 24
        }
        return header
    }

    /// The length must be written in the fewest octets, and its highest bit is 0 (RFC 6455 §5.2).
    @inline(__always)
    private static func parseLength(_ octets: Span<UInt8>, short: UInt8)
        throws(WSError) -> (length: Int, end: Int)?
    {
        if short < 126 { return (Int(short), 2) }
        if short == 126 {
            guard octets.count >= 4 else { return nil }
            let length = Int(octets[2]) << 8 | Int(octets[3])
            guard length > 125 else { throw .lengthNotMinimal }
            return (length, 4)
        }
        guard octets.count > 2 else { return nil }
        guard octets[2] & 0x80 == 0 else { throw .lengthTooLarge }
        guard octets.count >= 10 else { return nil }
        var length = 0
        for index in 2..<10 { length = length << 8 | Int(octets[index]) }
        guard length > 0xFFFF else { throw .lengthNotMinimal }
        return (length, 10)
    }
}
