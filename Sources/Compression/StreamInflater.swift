import CZlib
package import NIOCore

/// A stream of compressed content with what stands around its blocks, inflated piece by piece.
///
/// It belongs to one event loop at a time: it is not `Sendable` and takes no lock. It holds 7 KiB, and a window of
/// 32 KiB from the first bytes on.
package final class StreamInflater {
    /// What stands around the blocks.
    package enum Format: Sendable {
        /// Nothing (RFC 1951).
        case raw
        /// A header of two bytes and a checksum (RFC 1950).
        case zlib
        /// A header and a checksum (RFC 1952).
        case gzip
    }

    /// How far one call came.
    package enum Progress: Equatable, Sendable {
        /// The input is used up.
        case needsInput
        /// The room is used up; there may be more without further input.
        case isFull
        /// The stream has ended; the input may go on behind it.
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
        // On a stream that never started this is an error without effect.
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Begins another stream of the same format, without new memory.
    package func reset() { inflateReset(stream) }

    private static let largestPass = 1 << 30

    /// Takes bytes from `input` and appends at most `room` bytes to `output`.
    ///
    /// - Throws: ``CompressionError/corrupt`` or ``CompressionError/memory``.
    package func inflate(
        _ input: inout ByteBuffer, into output: inout ByteBuffer, room: Int
    ) throws(CompressionError) -> Progress {
        var status = Z_OK
        var isFull = false
        let consumed = input.withUnsafeReadableBytes { source in
            let given = min(source.count, Self.largestPass)
            // zlib only reads there, and not after this call.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: source.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(given)
            defer { stream.pointee.next_in = nil }
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                let capacity = min(target.count, room, Self.largestPass)
                stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(capacity)
                status = CZlib.inflate(stream, Z_NO_FLUSH)
                isFull = stream.pointee.avail_out == 0
                return capacity - Int(stream.pointee.avail_out)
            }
            return given - Int(stream.pointee.avail_in)
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
