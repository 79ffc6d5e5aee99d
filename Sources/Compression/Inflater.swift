import CZlib
package import NIOCore

/// A raw inflate stream (RFC 1951) that never produces more than it is allowed to.
///
/// A stream is used on one event loop at a time: it is not `Sendable` and takes no lock. It holds 7 KiB, and after the
/// first input also its window of up to 32 KiB.
package final class Inflater {
    /// How far one call got.
    package struct Progress: Equatable, Sendable {
        /// How many bytes of the input were consumed.
        package var consumed: Int
        /// The room is used up. There may be more output, from the rest of the input or from what zlib holds.
        package var isFull: Bool
    }

    // zlib keeps a pointer back to its z_stream, so the structure must never move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// No block is unfinished, and the last one ended at a byte boundary: the input may end here.
    package private(set) var isBetweenBlocks = true

    /// Starts a stream.
    ///
    /// - Parameter windowBits: the base-two logarithm of the history's size in bytes, 8 to 15.
    /// - Throws: ``CompressionError/memory``.
    package init(windowBits: Int = 15) throws(CompressionError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard
            (8...15).contains(windowBits),
            inflateInit2_(
                stream, Int32(-windowBits), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw .memory }
    }

    deinit {
        // If the stream never started, this returns an error and has no effect.
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Drops the history and any unfinished block. Allocates no memory.
    package func reset() {
        inflateReset(stream)
        isBetweenBlocks = true
    }

    /// The history: the last bytes of the output, at most the window's size.
    package func dictionary() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32 << 10) { target, count in
            var length: UInt32 = 0
            let status = inflateGetDictionary(stream, target.baseAddress, &length)
            count = status == Z_OK ? Int(length) : 0
        }
    }

    /// Sets the history of a new stream, as another stream returned it from ``dictionary()``.
    ///
    /// - Throws: ``CompressionError/memory``.
    package func setDictionary(_ bytes: [UInt8]) throws(CompressionError) {
        guard !bytes.isEmpty else { return }
        guard inflateSetDictionary(stream, bytes, UInt32(bytes.count)) == Z_OK else { throw .memory }
    }

    /// Inflates `input` and appends to `output`, until the input is consumed or `room` bytes were appended.
    ///
    /// A block that is marked as the last one (BFINAL) does not end the stream: another one may follow it
    /// (RFC 7692 §7.2.3.4).
    ///
    /// - Throws: ``CompressionError/corrupt`` or ``CompressionError/memory``. `output` then holds what was inflated before
    ///   the error.
    package func inflate(_ input: RawSpan, into output: inout ByteBuffer, room: Int)
        throws(CompressionError) -> Progress
    {
        let (progress, status) = input.withUnsafeBytes { run($0, into: &output, room: room) }
        try check(status)
        return progress
    }

    /// Consumes `input` after the limit has been reached: it must not produce any output.
    ///
    /// - Throws: ``CompressionError/overLimit`` if it would produce a byte, ``CompressionError/corrupt``,
    ///   ``CompressionError/memory``.
    package func inflateAtLimit(_ input: RawSpan) throws(CompressionError) {
        var spare = ByteBuffer()
        let (_, status) = input.withUnsafeBytes { run($0, into: &spare, room: 1) }
        guard spare.readableBytes == 0 else { throw .overLimit }
        try check(status)
    }

    /// The bytes that the sender removes from the end of every message: an empty stored block (RFC 7692 §7.2.2).
    package static let tail: InlineArray<4, UInt8> = [0x00, 0x00, 0xFF, 0xFF]

    private static let largestPass = 1 << 30
    /// The value of zlib's `data_type` after a block that was not the last one and that ended at a byte boundary.
    private static let betweenBlocks: Int32 = 128

    private func check(_ status: Int32) throws(CompressionError) {
        switch status {
        case Z_OK, Z_BUF_ERROR: return
        case Z_MEM_ERROR: throw .memory
        default: throw .corrupt
        }
    }

    private func run(
        _ source: UnsafeRawBufferPointer, into output: inout ByteBuffer, room: Int
    ) -> (Progress, Int32) {
        var left = source.count
        var room = room
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: source.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = 0
        defer { stream.pointee.next_in = nil }
        var status = Z_OK
        var hasSpace = false
        let sizeBefore = output.readableBytes
        // A first guess that fits most text. Later steps are as large as the output so far.
        var step = max(64, source.count &* 4)
        while room > 0 {
            if stream.pointee.avail_in == 0 {
                let pass = min(left, Self.largestPass)
                stream.pointee.avail_in = UInt32(pass)
                left -= pass
            }
            let capacity = min(room, step, Self.largestPass)
            var produced = 0
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { target in
                let capacity = min(target.count, room, Self.largestPass)
                stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(capacity)
                status = CZlib.inflate(stream, Z_NO_FLUSH)
                hasSpace = stream.pointee.avail_out > 0
                produced = capacity - Int(stream.pointee.avail_out)
                return produced
            }
            room -= produced
            if status == Z_STREAM_END {
                // Unlike inflateReset this keeps the window: later blocks may refer to earlier output.
                status = inflateResetKeep(stream)
                stream.pointee.data_type = Self.betweenBlocks
                if stream.pointee.avail_in > 0 || left > 0 { continue }
                break
            }
            if status != Z_OK || (hasSpace && left == 0 && stream.pointee.avail_in == 0) { break }
            step = max(64, min(output.readableBytes, 1 << 20))
        }
        let consumed = source.count - left - Int(stream.pointee.avail_in)
        stream.pointee.avail_in = 0
        // If nothing was consumed or produced, the state has not changed, although zlib reports otherwise for a new stream.
        if consumed > 0 || output.readableBytes > sizeBefore || !isBetweenBlocks {
            isBetweenBlocks = stream.pointee.data_type == Self.betweenBlocks
        }
        return (Progress(consumed: consumed, isFull: room == 0), status)
    }
}
