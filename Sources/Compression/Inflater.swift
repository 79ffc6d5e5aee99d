import CZlib
package import NIOCore

/// A raw inflate stream (RFC 1951) that never yields more than it is allowed to.
///
/// It belongs to one event loop at a time: it is not `Sendable` and takes no lock. It holds 7 KiB, and its
/// window (up to 32 KiB) from the first octets on.
package final class Inflater {
    /// How far one call came.
    package struct Progress: Equatable, Sendable {
        /// How many octets of the input were used up.
        package var consumed: Int
        /// The room was used up, and there may be more to come from the rest of the input or from within.
        package var isFull: Bool
    }

    // zlib keeps a pointer back to its z_stream, so the structure must never move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// No block is unfinished, and the last one ended with an octet: nothing is missing if the input ends here.
    package private(set) var isBetweenBlocks = true

    /// Starts a stream that can follow distances of up to 2 to the power of `windowBits` octets, 8 to 15.
    ///
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
        // On a stream that never started this is an error without effect.
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Forgets the history and any unfinished block, without new memory.
    package func reset() {
        inflateReset(stream)
        isBetweenBlocks = true
    }

    /// The history: the last octets that came out, at most the window's size.
    package func dictionary() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 32 << 10) { target, count in
            var length: UInt32 = 0
            let status = inflateGetDictionary(stream, target.baseAddress, &length)
            count = status == Z_OK ? Int(length) : 0
        }
    }

    /// Gives a new stream the history of another.
    ///
    /// - Throws: ``CompressionError/memory`` when the stream has already begun.
    package func setDictionary(_ octets: [UInt8]) throws(CompressionError) {
        guard !octets.isEmpty else { return }
        guard inflateSetDictionary(stream, octets, UInt32(octets.count)) == Z_OK else { throw .memory }
    }

    /// Inflates `input` and appends to `output`, until the input is used up or `room` octets were appended.
    ///
    /// A block marked as the last (BFINAL) ends nothing: the next one follows it (RFC 7692 §7.2.3.4).
    ///
    /// - Throws: ``CompressionError/corrupt`` or ``CompressionError/memory``; what was sound before is in
    ///   `output` then.
    package func inflate(_ input: RawSpan, into output: inout ByteBuffer, room: Int)
        throws(CompressionError) -> Progress
    {
        let (progress, status) = input.withUnsafeBytes { run($0, into: &output, room: room) }
        try check(status)
        return progress
    }

    /// Uses up `input` when nothing more may come out.
    ///
    /// - Throws: ``CompressionError/overLimit`` when a single octet would, ``CompressionError/corrupt``,
    ///   ``CompressionError/memory``.
    package func inflateNothing(_ input: RawSpan) throws(CompressionError) {
        var spare = ByteBuffer()
        let (_, status) = input.withUnsafeBytes { run($0, into: &spare, room: 1) }
        guard spare.readableBytes == 0 else { throw .overLimit }
        try check(status)
    }

    /// The octets every message's compressor left off: an empty stored block (RFC 7692 §7.2.2).
    package static let tail: InlineArray<4, UInt8> = [0x00, 0x00, 0xFF, 0xFF]

    private static let largestPass = 1 << 30
    /// What zlib's `data_type` says behind a block that was not the last, with no bits left of its last octet.
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
        // A first guess that fits most text; afterwards it doubles with what has really come out.
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
                // Keeps the window, unlike inflateReset: later blocks may refer to what came before.
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
        // A stream that nothing was done with is where it was, though zlib says otherwise of one that is new.
        if consumed > 0 || output.readableBytes > sizeBefore || !isBetweenBlocks {
            isBetweenBlocks = stream.pointee.data_type == Self.betweenBlocks
        }
        return (Progress(consumed: consumed, isFull: room == 0), status)
    }
}
