/// How an endpoint compresses messages (permessage-deflate, RFC 7692).
public struct DeflateMode: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case off
        case shared
        case contextTakeover(windowBits: Int, memoryLevel: Int)
    }

    package var kind: Kind

    /// Messages with fewer bytes than this are sent uncompressed, because compressing them is not worth the work. It has no
    /// effect with context takeover, which pays off for small messages.
    public var threshold = 128

    /// zlib's level: 1 (fastest) to 9 (smallest).
    public var level = 6

    private init(_ kind: Kind) {
        self.kind = kind
    }

    /// Compression is not negotiated.
    public static let off = DeflateMode(.off)

    /// Every message is compressed on its own. The connections of an event loop share their compressors and decompressors,
    /// so an idle connection costs nothing.
    public static let shared = DeflateMode(.shared)

    /// Messages may refer to the messages before them, which suits streams of small, similar messages. It takes memory per
    /// connection: about 2^(windowBits+2) + 2^(memoryLevel+9) bytes while it is busy, and at most 2^windowBits while it is
    /// idle.
    ///
    /// - Parameters:
    ///   - windowBits: the base-two logarithm of the history's size in bytes, clamped to 9...15.
    ///   - memoryLevel: zlib's memory level, clamped to 1...9.
    public static func contextTakeover(windowBits: Int = 15, memoryLevel: Int = 8) -> DeflateMode {
        DeflateMode(
            .contextTakeover(
                windowBits: min(max(windowBits, 9), 15), memoryLevel: min(max(memoryLevel, 1), 9)))
    }

    /// Returns the same mode with another threshold.
    public func threshold(_ bytes: Int) -> DeflateMode {
        var mode = self
        mode.threshold = max(0, bytes)
        return mode
    }

    /// Returns the same mode with another level, which is clamped to 1...9.
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
