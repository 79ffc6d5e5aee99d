import Compression
import NIOCore

/// The compressors and decompressors that all connections of one event loop use in turn.
///
/// It belongs to its event loop: it is not `Sendable` and takes no lock. Every message starts afresh, so that
/// nothing of one connection can be seen by another.
package final class SharedDeflate {
    private struct Key: Hashable {
        var level: Int
        var windowBits: Int
        var memoryLevel: Int
    }

    private var deflaters: [Key: Deflater] = [:]
    private var idleInflaters: [Inflater] = []
    private var scratch = ByteBuffer()
    /// How many bytes the connections have compressed and decompressed, before compression, since it was last set to 0.
    package var worked: Int {
        get { work.bytes }
        set { work.bytes = newValue }
    }
    let work = CodecWork()

    /// How many decompressors without a message are kept for the next one.
    private static let maxIdleInflaters = 4
    /// Up to this size a message is compressed with a small window and hash table: they cover it all, and a
    /// fresh start clears 8 KiB where the largest clears 64.
    private static let smallMessage = 4 << 10

    /// The scratch room that is kept, in octets.
    private static let maxScratch = 128 << 10

    /// An empty set, which fills as messages come.
    package init() {}

    /// Room for octets that are on their way into or out of a codec, to be given back within the same call.
    func takeScratch() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &scratch)
        return taken
    }

    /// Takes back what ``takeScratch()`` gave, unless one large message has blown it up.
    func giveBackScratch(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity <= Self.maxScratch else { return }
        scratch = buffer
        scratch.clear()
    }

    /// A decompressor with an empty history, for one message; to be given back after it.
    ///
    /// A message that arrives in pieces keeps its own until it ends.
    func borrowInflater() throws(CompressionError) -> Inflater {
        if let inflater = idleInflaters.popLast() { return inflater }
        return try Inflater(windowBits: 15)
    }

    /// Takes back what ``borrowInflater()`` gave.
    func giveBack(_ inflater: Inflater) {
        guard idleInflaters.count < Self.maxIdleInflaters else { return }
        inflater.reset()
        idleInflaters.append(inflater)
    }

    /// Appends `plain` compressed on its own, as one message without its tail (RFC 7692 §7.2.1).
    ///
    /// - Parameter windowBits: 8 to 15; with 8 the message must not be longer than 256 octets, because zlib
    ///   then works with 9.
    func compress(_ plain: RawSpan, windowBits: Int, level: Int, into out: inout ByteBuffer)
        throws(CompressionError)
    {
        worked &+= plain.byteCount
        let isSmall = plain.byteCount <= Self.smallMessage
        let key = Key(
            level: level, windowBits: max(9, isSmall ? min(windowBits, 12) : windowBits),
            memoryLevel: isSmall ? 5 : 8)
        let deflater: Deflater
        if let known = deflaters[key] {
            deflater = known
            deflater.reset()
        } else {
            deflater = try Deflater(level: level, windowBits: key.windowBits, memoryLevel: key.memoryLevel)
            deflaters[key] = deflater
        }
        try deflater.finishMessage(plain, into: &out)
    }
}

/// Counts what the codecs of an event loop have done.
final class CodecWork {
    @exclusivity(unchecked) var bytes = 0
}
