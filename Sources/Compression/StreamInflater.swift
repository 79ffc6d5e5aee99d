import CZlib
package import NIOCore

/// A compressed stream with or without a container, inflated piece by piece.
///
/// A stream is used on one event loop at a time: it is not `Sendable` and takes no lock. It holds 7 KiB, and after the
/// first input also a window of 32 KiB.
package final class StreamInflater {
    /// The container of the compressed blocks.
    package enum Format: Sendable {
        /// No container (RFC 1951).
        case raw
        /// A header of two bytes and a checksum (RFC 1950).
        case zlib
        /// A header, a checksum and the length (RFC 1952).
        case gzip
    }

    /// How far one call got.
    package enum Progress: Equatable, Sendable {
        /// The input is consumed.
        case needsInput
        /// The room is used up. There may be more output without further input.
        case isFull
        /// The stream has ended. There may be input after it.
        case isEnded
    }

    // zlib keeps a pointer back to its z_stream, so the structure must never move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// Starts a stream.
    ///
    /// - Throws: ``CompressionError/memory``.
    package init(_ format: Format) throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let windowBits: Int32 =
            switch format {
            case .raw: -15
            case .zlib: 15
            case .gzip: 15 + 16
            }
        guard inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw .memory }
    }

    deinit {
        // If the stream never started, this returns an error and has no effect.
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Begins another stream of the same format. Allocates no memory.
    package func reset() { inflateReset(stream) }

    private static let largestPass = 1 << 30

    /// Inflates bytes from `input` and appends at most `room` bytes to `output`.
    ///
    /// - Throws: ``CompressionError/corrupt`` or ``CompressionError/memory``.
    package func inflate(
        _ input: inout ByteBuffer, into output: inout ByteBuffer, room: Int
    ) throws(CompressionError) -> Progress {
        var status = Z_OK
        var isFull = false
        let consumed = input.withUnsafeReadableBytes { source in
            let available = min(source.count, Self.largestPass)
            // zlib only reads from this pointer, and not after this call.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: source.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(available)
            defer { stream.pointee.next_in = nil }
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                let capacity = min(target.count, room, Self.largestPass)
                stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(capacity)
                status = CZlib.inflate(stream, Z_NO_FLUSH)
                isFull = stream.pointee.avail_out == 0
                return capacity - Int(stream.pointee.avail_out)
            }
            return available - Int(stream.pointee.avail_in)
        }
        input.moveReaderIndex(forwardBy: consumed)
        switch status {
        case Z_STREAM_END: return .isEnded
        case Z_OK, Z_BUF_ERROR: return isFull ? .isFull : .needsInput
        case Z_MEM_ERROR: throw .memory
        default: throw .corrupt
        }
    }
}
