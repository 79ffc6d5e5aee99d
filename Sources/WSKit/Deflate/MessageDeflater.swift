package import Compression
package import NIOCore

/// Compresses the messages of one direction of a connection (RFC 7692 §7.2.1).
package struct MessageDeflater {
    private enum Context {
        /// Every message is compressed on its own.
        case shared
        /// Messages refer to those before them. It is `nil` while asleep. A compressor may start with an empty history at
        /// any time: the peer then keeps a longer history than necessary.
        case takeover(Deflater?)
    }

    private var context: Context
    /// The negotiated window.
    package let windowBits: Int
    package let threshold: Int
    package let level: Int
    private let memoryLevel: Int
    private let shared: SharedDeflate

    /// Creates a compressor for the messages that `role` sends.
    package init(_ parameters: DeflateParameters, role: Role, mode: DeflateMode, shared: SharedDeflate) {
        let direction = parameters.direction(from: role)
        windowBits = direction.windowBits
        // zlib cannot limit itself to a history of 256 bytes, so each message is compressed on its own.
        var takesOver = direction.takesContextOver && direction.windowBits >= 9
        if case .contextTakeover = mode.kind {} else { takesOver = false }
        context = takesOver ? .takeover(nil) : .shared
        threshold = takesOver ? 0 : mode.threshold
        level = mode.level
        memoryLevel = mode.memoryLevel
        self.shared = shared
    }

    /// Whether messages refer to those before them.
    package var takesContextOver: Bool {
        if case .takeover = context { true } else { false }
    }

    /// Whether a message of `count` bytes can be compressed within the window.
    ///
    /// zlib compresses with at least 9 window bits. With 8 negotiated, a message of at most 256 bytes still cannot contain
    /// a distance that is too large. Longer ones are sent uncompressed, which is always allowed.
    package static func canCompress(_ count: Int, windowBits: Int) -> Bool {
        windowBits >= 9 || count <= 256
    }

    /// Compresses `plain` and appends the result to `out`. Appends nothing and returns `false` if the message must be sent
    /// uncompressed.
    package mutating func compress(_ plain: RawSpan, into out: inout ByteBuffer) throws(WSError) -> Bool {
        guard plain.byteCount > 0, plain.byteCount >= threshold,
            Self.canCompress(plain.byteCount, windowBits: windowBits)
        else { return false }
        let start = out.writerIndex
        do throws(CompressionError) {
            switch context {
            case .takeover:
                // Sent compressed even if it grew by a few bytes. Otherwise the histories of both ends would differ.
                shared.processedBytes &+= plain.byteCount
                try awake().finishMessage(plain, into: &out)
                return true
            case .shared:
                try shared.compress(plain, windowBits: windowBits, level: level, into: &out)
            }
        } catch {
            out.moveWriterIndex(to: start)
            throw WSError(error, limit: 0)
        }
        guard out.writerIndex - start < plain.byteCount else {
            out.moveWriterIndex(to: start)
            return false
        }
        return true
    }

    /// Returns the compressor for a message that is sent in parts. Without context takeover, it is a new one. Returns `nil`
    /// if the window does not allow messages of unknown length.
    package mutating func streamDeflater() throws(WSError) -> Deflater? {
        guard windowBits >= 9 else { return nil }
        do throws(CompressionError) {
            switch context {
            case .takeover: return try awake()
            case .shared: return try Deflater(level: level, windowBits: windowBits, memoryLevel: 8)
            }
        } catch {
            throw WSError(error, limit: 0)
        }
    }

    /// Adds a message that was compressed elsewhere, and sent in that form, to the history.
    ///
    /// The peer's history now ends with it. A compressor that is asleep has no history and needs none.
    package mutating func learn(_ plain: RawSpan) {
        guard case .takeover(let deflater?) = context else { return }
        do throws(CompressionError) {
            try deflater.setDictionary(plain)
        } catch {
            context = .takeover(nil)
        }
    }

    /// Frees the working memory. The next message starts with an empty history.
    package mutating func sleep() {
        if case .takeover = context { context = .takeover(nil) }
    }

    /// Whether working memory is held.
    package var isAwake: Bool {
        if case .takeover(_?) = context { true } else { false }
    }

    private mutating func awake() throws(CompressionError) -> Deflater {
        if case .takeover(let deflater?) = context { return deflater }
        let deflater = try Deflater(level: level, windowBits: max(9, windowBits), memoryLevel: memoryLevel)
        context = .takeover(deflater)
        return deflater
    }
}

extension WSError {
    /// The connection error for a failed compressor or decompressor. `limit` is that of the message size.
    init(_ error: CompressionError, limit: Int) {
        switch error {
        case .corrupt: self = .corruptDeflate
        case .memory: self = .outOfMemory
        case .overLimit: self = .messageTooLarge(limit: limit)
        }
    }
}
