import CZlib
package import NIOCore

/// A deflate stream (RFC 1951) that compresses WebSocket messages and response bodies.
///
/// A stream is used on one event loop at a time: it is not `Sendable` and takes no lock. With 15 window bits and
/// memory level 8 it holds about 256 KiB until it is released. One window bit less halves the memory for the window,
/// and one memory level less halves the memory for the search.
package final class Deflater {
    /// What happens to bytes that the compressor has buffered.
    package enum Flush: Sendable {
        /// They stay buffered until more input arrives. This gives the smallest output.
        case none
        /// All of them are written. The output ends at a byte boundary with 00 00 FF FF (RFC 7692 §7.2.1).
        case sync
        /// All of them are written, and the stream ends. It accepts no more input until it is reset.
        case finish

        fileprivate var code: Int32 {
            switch self {
            case .none: Z_NO_FLUSH
            case .sync: Z_SYNC_FLUSH
            case .finish: Z_FINISH
            }
        }
    }

    /// The container of the compressed blocks.
    package enum Format: Sendable {
        /// No container.
        case raw
        /// A header before the blocks, and a checksum and the length after them (RFC 1952).
        case gzip
    }

    /// The window bits that zlib can compress with. 8 is not among them: zlib cannot compress a raw stream with a window
    /// of 256 bytes.
    package static let windowBitsRange = 9...15

    /// The memory levels that zlib supports.
    package static let memoryLevelRange = 1...9

    // zlib keeps a pointer back to its z_stream, so the structure must never move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// Starts a stream.
    ///
    /// - Parameters:
    ///   - format: the container of the compressed blocks.
    ///   - level: 1 (fastest) to 9 (smallest).
    ///   - windowBits: the base-two logarithm of the history's size in bytes; see ``windowBitsRange``.
    ///   - memoryLevel: how much memory the search for matches may use; see ``memoryLevelRange``.
    /// - Throws: ``CompressionError/memory``.
    package init(format: Format = .raw, level: Int = 6, windowBits: Int = 15, memoryLevel: Int = 8)
        throws(CompressionError)
    {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard
            Self.windowBitsRange.contains(windowBits), Self.memoryLevelRange.contains(memoryLevel),
            (1...9).contains(level),
            deflateInit2_(
                stream, Int32(level), Z_DEFLATED, Self.zlibBits(windowBits, format), Int32(memoryLevel),
                Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { throw .memory }
    }

    /// The `windowBits` argument of zlib, which also selects the format.
    private static func zlibBits(_ windowBits: Int, _ format: Format) -> Int32 {
        switch format {
        case .raw: Int32(-windowBits)
        case .gzip: Int32(windowBits + 16)
        }
    }

    deinit {
        // If the stream never started, this returns an error and has no effect.
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Drops the history and all buffered input, as if the stream were new. Allocates no memory.
    package func reset() {
        deflateReset(stream)
    }

    /// Appends `bytes` to the history as if this stream had compressed them, without output.
    ///
    /// Call it only right after the start, a reset or a sync flush. Only the last bytes, as many as the window holds, have
    /// an effect.
    ///
    /// - Throws: ``CompressionError/memory`` when the stream is in the middle of a block.
    package func setDictionary(_ bytes: RawSpan) throws(CompressionError) {
        let status = bytes.withUnsafeBytes { source -> Int32 in
            // No window is larger than 32 KiB, and the suffix keeps the count within zlib's 32 bits.
            let tail = UnsafeRawBufferPointer(rebasing: source.suffix(32 << 10))
            guard let base = tail.bindMemory(to: UInt8.self).baseAddress else { return Z_OK }
            return deflateSetDictionary(stream, base, UInt32(tail.count))
        }
        guard status == Z_OK else { throw .memory }
    }

    /// Compresses `input` and appends the result to `output`, which grows as needed.
    ///
    /// - Throws: ``CompressionError/memory``.
    package func deflate(_ input: RawSpan, into output: inout ByteBuffer, flush: Flush)
        throws(CompressionError)
    {
        let status = input.withUnsafeBytes { source -> Int32 in
            run(source, into: &output, flush: flush.code)
        }
        // Z_BUF_ERROR means that there was nothing to do.
        let isDone = flush == .finish ? status == Z_STREAM_END : status == Z_OK || status == Z_BUF_ERROR
        guard isDone else { throw .memory }
    }

    /// Compresses the rest of a message and removes the final 00 00 FF FF (RFC 7692 §7.2.1).
    ///
    /// - Throws: ``CompressionError/memory``.
    package func finishMessage(_ input: RawSpan, into output: inout ByteBuffer) throws(CompressionError) {
        let start = output.writerIndex
        try deflate(input, into: &output, flush: .sync)
        // A second flush without input in between writes nothing. The message then needs an empty block, which is one
        // byte without its tail (RFC 7692 §7.2.3.6).
        if output.writerIndex - start < Self.tailLength {
            output.moveWriterIndex(to: start)
            output.writeInteger(UInt8(0))
        } else {
            output.moveWriterIndex(to: output.writerIndex - Self.tailLength)
        }
    }

    private static let tailLength = 4
    private static let largestPass = 1 << 30

    private func run(_ source: UnsafeRawBufferPointer, into output: inout ByteBuffer, flush: Int32) -> Int32 {
        var left = source.count
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: source.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = 0
        defer { stream.pointee.next_in = nil }
        var status = Z_OK
        var isFull = false
        var room = max(64, source.count / 2 &+ 32)
        repeat {
            if stream.pointee.avail_in == 0 {
                let pass = min(left, Self.largestPass)
                stream.pointee.avail_in = UInt32(pass)
                left -= pass
            }
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
                let capacity = min(target.count, Self.largestPass)
                stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(capacity)
                status = CZlib.deflate(stream, left == 0 ? flush : Z_NO_FLUSH)
                isFull = stream.pointee.avail_out == 0
                return capacity - Int(stream.pointee.avail_out)
            }
            room = max(64, min(output.readableBytes, 1 << 20))
        } while status == Z_OK && (isFull || left > 0)
        return status
    }
}
