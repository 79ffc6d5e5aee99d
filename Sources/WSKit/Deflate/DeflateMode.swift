/// How an endpoint compresses messages (permessage-deflate, RFC 7692).
public struct DeflateMode: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case off
        case shared
        case contextTakeover(windowBits: Int, memoryLevel: Int)
    }

    package var kind: Kind

    /// Messages with fewer octets than this go uncompressed: for them the work is not worth it. It does not
    /// count with context takeover, which lives from small messages.
    public var threshold = 128

    /// zlib's level: 1 (fastest) to 9 (smallest).
    public var level = 6

    private init(_ kind: Kind) {
        self.kind = kind
    }

    /// No compression is negotiated.
    public static let off = DeflateMode(.off)

    /// Every message is compressed on its own; one compressor and one decompressor serve all connections of an
    /// event loop, so that an idle connection costs nothing.
    public static let shared = DeflateMode(.shared)

    /// Messages refer back to those before them, which suits streams of small similar messages, at the price
    /// of memory per connection: about 2^(windowBits+2) + 2^(memoryLevel+9) octets while it is busy, and at
    /// most 2^windowBits while idle.
    ///
    /// - Parameters:
    ///   - windowBits: the logarithm of the history's size, 9 to 15; values outside are brought inside.
    ///   - memoryLevel: zlib's, 1 to 9; values outside are brought inside.
    public static func contextTakeover(windowBits: Int = 15, memoryLevel: Int = 8) -> DeflateMode {
        DeflateMode(
            .contextTakeover(
                windowBits: min(max(windowBits, 9), 15), memoryLevel: min(max(memoryLevel, 1), 9)))
    }

    /// The same mode with another threshold.
    public func threshold(_ octets: Int) -> DeflateMode {
        var mode = self
        mode.threshold = max(0, octets)
        return mode
    }

    /// The same mode with another level; values outside 1 to 9 are brought inside.
    public func level(_ level: Int) -> DeflateMode {
        var mode = self
        mode.level = min(max(level, 1), 9)
        return mode
    }

    /// The memory level of this end's compressor.
    package var memoryLevel: Int {
        if case .contextTakeover(_, let level) = kind { level } else { 8 }
    }
}
