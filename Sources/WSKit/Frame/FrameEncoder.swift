import HTTPKit
package import NIOCore

/// Writes frames (RFC 6455 §5.2), lengths in the fewest octets.
package enum FrameEncoder {
    /// Appends the header alone.
    package static func write(_ header: FrameHeader, into out: inout ByteBuffer) {
        out.writeWithOutputRawSpan(minimumWritableBytes: FrameHeader.maxEncodedLength) {
            append(header, to: &$0)
        }
    }

    private static func append(_ header: FrameHeader, to span: inout OutputRawSpan) {
        span.append((header.isFinal ? 0x80 : 0) | (header.isCompressed ? 0x40 : 0) | header.opcode.rawValue)
        let masked: UInt8 = header.mask == nil ? 0 : 0x80
        if header.length < 126 {
            span.append(masked | UInt8(truncatingIfNeeded: header.length))
        } else if header.length <= 0xFFFF {
            span.append(masked | 126)
            span.append(UInt16(truncatingIfNeeded: header.length).bigEndian, as: UInt16.self)
        } else {
            span.append(masked | 127)
            span.append(UInt64(header.length).bigEndian, as: UInt64.self)
        }
        if let mask = header.mask { span.append(mask.littleEndian, as: UInt32.self) }
    }

    /// Below this size a payload is copied behind its header; a larger one is sent from where it is.
    package static let copySize = 4096

    /// A buffer for a payload that arrives under `header`; where the message may be sent on as it is, the header that
    /// a server would send it under stands before its first octet: see ``frame(before:_:)``.
    ///
    /// - Parameter reserves: whether to make room for all of the payload.
    static func payloadBuffer(for header: FrameHeader, reserves: Bool) -> ByteBuffer {
        let isWorthIt = header.length > copySize && header.isFinal && header.mask != nil
        let needed = (reserves ? header.length : 0) + (isWorthIt ? FrameHeader.maxEncodedLength : 0)
        var payload = needed > 0 ? ByteBufferAllocator().buffer(capacity: needed) : ByteBuffer()
        if isWorthIt {
            write(FrameHeader(opcode: header.opcode, length: header.length), into: &payload)
            payload.moveReaderIndex(to: payload.writerIndex)
        }
        return payload
    }

    /// `payload` together with `header`, where that very header stands before its first octet: then nothing has to be
    /// copied to send on what was received. The octets are compared, so it does not matter how they came there.
    static func frame(before payload: ByteBuffer, _ header: FrameHeader) -> ByteBuffer? {
        let length = header.encodedLength
        guard payload.readerIndex >= length, header.length == payload.readableBytes else { return nil }
        var frame = payload
        frame.moveReaderIndex(to: payload.readerIndex - length)
        let octets = frame.readableBytesUInt8Span
        // A client's header has a mask, which is not parsed as a server's.
        guard let found = try? FrameHeader.parse(octets, from: .server, allowsCompression: false),
            found == header
        else { return nil }
        return frame
    }

    /// Appends the header and `payload`, masked in the same pass when the header has a key.
    ///
    /// The header's length must be that of the payload. Nothing is allocated when `out` has room.
    package static func write(_ header: FrameHeader, _ payload: RawSpan, into out: inout ByteBuffer) {
        let room = FrameHeader.maxEncodedLength + payload.byteCount
        if let mask = header.mask {
            out.reserveCapacity(minimumWritableBytes: room)
            write(header, into: &out)
            Mask.append(payload, key: mask, phase: 0, to: &out)
        } else {
            // One write, since each checks the buffer anew, which costs more than to copy the few octets of most.
            out.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
                append(header, to: &span)
                payload.withUnsafeBytes { span.append($0) }
            }
        }
    }
}
