import HTTPKit
package import NIOCore

/// Writes frames (RFC 6455 §5.2), with lengths in the fewest bytes.
package enum FrameEncoder {
    /// Appends a header without a payload.
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

    /// Payloads up to this size are copied into the output after their header. Larger ones are sent without a copy.
    package static let copySize = 4096

    /// Creates a buffer for a received payload.
    ///
    /// If a server may send the message on unchanged, the buffer holds the server's frame header before the reader index:
    /// see ``reusableFrame(for:_:)``.
    ///
    /// - Parameter reserves: whether to allocate room for the whole payload.
    static func payloadBuffer(for header: FrameHeader, reserves: Bool) -> ByteBuffer {
        let isReusable = header.length > copySize && header.isFinal && header.mask != nil
        let needed = (reserves ? header.length : 0) + (isReusable ? FrameHeader.maxEncodedLength : 0)
        var payload = needed > 0 ? ByteBufferAllocator().buffer(capacity: needed) : ByteBuffer()
        if isReusable {
            write(FrameHeader(opcode: header.opcode, length: header.length), into: &payload)
            payload.moveReaderIndex(to: payload.writerIndex)
        }
        return payload
    }

    /// Returns `header` and `payload` as one buffer if the bytes before the payload's reader index are exactly that header.
    /// A received message can then be sent on without a copy. The bytes are compared, so it does not matter how they got
    /// there.
    static func reusableFrame(for payload: ByteBuffer, _ header: FrameHeader) -> ByteBuffer? {
        let length = header.encodedLength
        guard payload.readerIndex >= length, header.length == payload.readableBytes else { return nil }
        var frame = payload
        frame.moveReaderIndex(to: payload.readerIndex - length)
        let bytes = frame.readableBytesUInt8Span
        // A client's header has a mask and does not parse as a server's.
        guard let found = try? FrameHeader.parse(bytes, from: .server, allowsCompression: false),
            found == header
        else { return nil }
        return frame
    }

    /// Appends the header and `payload`, which is masked in the same pass if the header has a key.
    ///
    /// The header's length must be that of the payload. Allocates nothing if `out` has room.
    package static func write(_ header: FrameHeader, _ payload: RawSpan, into out: inout ByteBuffer) {
        let room = FrameHeader.maxEncodedLength + payload.byteCount
        if let mask = header.mask {
            out.reserveCapacity(minimumWritableBytes: room)
            write(header, into: &out)
            Mask.append(payload, key: mask, phase: 0, to: &out)
        } else {
            // A single write: each one checks the buffer again, which costs more than copying a typical payload.
            out.writeWithOutputRawSpan(minimumWritableBytes: room) { span in
                append(header, to: &span)
                payload.withUnsafeBytes { span.append($0) }
            }
        }
    }
}
