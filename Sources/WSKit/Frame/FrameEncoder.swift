package import NIOCore

/// Writes frames (RFC 6455 §5.2), lengths in the fewest octets.
package enum FrameEncoder {
    /// Appends the header alone.
    package static func write(_ header: FrameHeader, into out: inout ByteBuffer) {
        let first: UInt8 =
            (header.isFinal ? 0x80 : 0) | (header.isCompressed ? 0x40 : 0) | header.opcode.rawValue
        let masked: UInt8 = header.mask == nil ? 0 : 0x80
        if header.length < 126 {
            out.writeMultipleIntegers(first, masked | UInt8(truncatingIfNeeded: header.length))
        } else if header.length <= 0xFFFF {
            out.writeMultipleIntegers(first, masked | 126, UInt16(truncatingIfNeeded: header.length))
        } else {
            out.writeMultipleIntegers(first, masked | 127, UInt64(header.length))
        }
        if let mask = header.mask { out.writeInteger(mask, endianness: .little) }
    }

    /// Appends the header and `payload`, masked in the same pass when the header has a key.
    ///
    /// The header's length must be that of the payload. Nothing is allocated when `out` has room.
    package static func write(_ header: FrameHeader, _ payload: RawSpan, into out: inout ByteBuffer) {
        out.reserveCapacity(minimumWritableBytes: FrameHeader.maxEncodedLength + payload.byteCount)
        write(header, into: &out)
        guard payload.byteCount > 0 else { return }
        if let mask = header.mask {
            Mask.append(payload, key: mask, phase: 0, to: &out)
        } else {
            out.writeBytes(payload)
        }
    }
}
