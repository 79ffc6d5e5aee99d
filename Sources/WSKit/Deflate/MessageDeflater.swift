package import Compression
package import NIOCore

/// Compresses the messages of one direction of a connection (RFC 7692 §7.2.1).
package struct MessageDeflater {
    private enum Context {
        /// Every message on its own.
        case shared
        /// Each after the ones before; nil while asleep. A compressor may start afresh at any time, since its
        /// peer keeps a longer history than it will be referred to.
        case takeover(Deflater?)
    }

    private var context: Context
    /// The negotiated window.
    package let windowBits: Int
    package let threshold: Int
    package let level: Int
    private let memoryLevel: Int
    private let shared: SharedDeflate

    /// A compressor of what `role` sends.
    package init(_ parameters: DeflateParameters, role: Role, mode: DeflateMode, shared: SharedDeflate) {
        let direction = parameters.direction(from: role)
        windowBits = direction.windowBits
        // A history of 256 octets is more than zlib can promise to stay within, so each message is on its own.
        var takesOver = direction.takesContextOver && direction.windowBits >= 9
        if case .contextTakeover = mode.kind {} else { takesOver = false }
        context = takesOver ? .takeover(nil) : .shared
        threshold = takesOver ? 0 : mode.threshold
        level = mode.level
        memoryLevel = mode.memoryLevel
        self.shared = shared
    }

    /// Messages refer to those before them.
    package var takesContextOver: Bool {
        if case .takeover = context { true } else { false }
    }

    /// zlib compresses with at least 9 window bits. With 8 negotiated, a message of at most 256 octets still
    /// cannot hold a distance that is too far; longer ones go uncompressed, which is always allowed.
    package static func canCompress(_ count: Int, windowBits: Int) -> Bool {
        windowBits >= 9 || count <= 256
    }

    /// Appends `plain` compressed to `out`; false, with nothing appended, when it is to go uncompressed.
    package mutating func compress(_ plain: RawSpan, into out: inout ByteBuffer) throws(WSError) -> Bool {
        guard plain.byteCount > 0, plain.byteCount >= threshold,
            Self.canCompress(plain.byteCount, windowBits: windowBits)
        else { return false }
        let start = out.writerIndex
        do throws(CompressionError) {
            switch context {
            case .takeover:
                // It may grow by a few octets, and goes compressed all the same: else the histories differ.
                shared.worked &+= plain.byteCount
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

    /// The compressor for a message that is sent in parts, which is its own unless contexts are taken over;
    /// nil when its window forbids messages of unknown length.
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

    /// Takes a message that was compressed elsewhere, and has been sent in that form, into the history.
    ///
    /// The peer's history now ends with it. A compressor that sleeps has no history and needs none.
    package mutating func learn(_ plain: RawSpan) {
        guard case .takeover(let deflater?) = context else { return }
        do throws(CompressionError) {
            try deflater.setDictionary(plain)
        } catch {
            context = .takeover(nil)
        }
    }

    /// Gives back the working memory; the next message starts afresh.
    package mutating func sleep() {
        if case .takeover = context { context = .takeover(nil) }
    }

    /// Working memory is held.
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
    /// What a failure of the codec means for the connection.
    init(_ error: CompressionError, limit: Int) {
        switch error {
        case .corrupt: self = .corruptDeflate
        case .memory: self = .outOfMemory
        case .overLimit: self = .messageTooLarge(limit: limit)
        }
    }
}
