import Compression
import NIOCore

/// The compressors and decompressors that the connections of one event loop share.
///
/// An instance belongs to its event loop: it is not `Sendable` and takes no lock. Every message starts with an empty
/// history, so no connection can see anything of another.
package final class SharedDeflate {
    private struct Key: Hashable {
        var level: Int
        var windowBits: Int
        var memoryLevel: Int
    }

    private var deflaters: [Key: Deflater] = [:]
    private var idleInflaters: [Inflater] = []
    private var scratch = ByteBuffer()
    /// How many bytes, counted uncompressed, the connections have compressed and decompressed since this was last set to 0.
    package var processedBytes: Int {
        get { work.bytes }
        set { work.bytes = newValue }
    }
    let work = CodecWork()

    /// How many idle decompressors are kept.
    private static let maxIdleInflaters = 4
    /// Messages up to this size are compressed with a small window and hash table. They cover the whole message, and a
    /// reset clears 8 KiB instead of 64 KiB.
    private static let smallMessage = 4 << 10

    /// The capacity in bytes up to which the scratch buffer is kept.
    private static let maxScratch = 128 << 10

    /// Creates an instance without compressors. They are created when needed.
    package init() {}

    /// Lends the scratch buffer, for bytes on their way into or out of a codec. Return it within the same call.
    func takeScratch() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &scratch)
        return taken
    }

    /// Takes back the buffer of ``takeScratch()``. It is dropped if a large message has grown it above the limit.
    func returnScratch(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity <= Self.maxScratch else { return }
        scratch = buffer
        scratch.clear()
    }

    /// Lends a decompressor with an empty history for one message. Return it with ``returnInflater(_:)`` after the message.
    func borrowInflater() throws(CompressionError) -> Inflater {
        if let inflater = idleInflaters.popLast() { return inflater }
        return try Inflater(windowBits: 15)
    }

    /// Takes back a decompressor of ``borrowInflater()``.
    func returnInflater(_ inflater: Inflater) {
        guard idleInflaters.count < Self.maxIdleInflaters else { return }
        inflater.reset()
        idleInflaters.append(inflater)
    }

    /// Compresses `plain` as one message with an empty history, and appends it to `out` without its tail (RFC 7692 §7.2.1).
    ///
    /// - Parameter windowBits: 8 to 15. With 8, the message must not be longer than 256 bytes, because zlib then uses 9.
    func compress(_ plain: RawSpan, windowBits: Int, level: Int, into out: inout ByteBuffer)
        throws(CompressionError)
    {
        processedBytes &+= plain.byteCount
        let isSmall = plain.byteCount <= Self.smallMessage
        let key = Key(
            level: level, windowBits: max(9, isSmall ? min(windowBits, 12) : windowBits),
            memoryLevel: isSmall ? 5 : 8)
        let deflater: Deflater
        if let existing = deflaters[key] {
            deflater = existing
            deflater.reset()
        } else {
            deflater = try Deflater(level: level, windowBits: key.windowBits, memoryLevel: key.memoryLevel)
            deflaters[key] = deflater
        }
        try deflater.finishMessage(plain, into: &out)
    }
}

/// Counts the work of an event loop's compressors and decompressors.
final class CodecWork {
    @exclusivity(unchecked) var bytes = 0
}
