import Compression
import HTTPKit
import NIOCore

/// Content compressed as a whole (RFC 1952).
enum Gzip {
    /// The content compressed, with a compressor of its own; `nil` where there is no memory for it.
    static func compress(_ body: ResponseBody, level: Int) -> ByteBuffer? {
        guard let deflater = try? Deflater(format: .gzip, level: level) else { return nil }
        return compress(body, by: deflater)
    }

    /// The content compressed by a compressor that is new or was reset.
    static func compress(_ body: ResponseBody, by deflater: Deflater) -> ByteBuffer? {
        var out = ByteBuffer()
        do throws(CompressionError) {
            switch body.storage {
            case .string(let text): try deflater.deflate(text.utf8.span.bytes, into: &out, flush: .finish)
            case .bytes(let buffer):
                try deflater.deflate(buffer.readableBytesSpan, into: &out, flush: .finish)
            case .empty, .stream, .parts: return nil
            }
        } catch {
            return nil
        }
        return out
    }
}

/// The compressors that the answers of one event loop use in turn, one for each level: to make one and to clear its
/// 256 KiB would cost more than most answers.
///
/// It belongs to its loop: it is not `Sendable`. Every answer starts afresh, so nothing of one is seen by another.
final class LoopGzip {
    private var deflaters: [Int: Deflater] = [:]

    /// The content compressed; `nil` where there is no memory for it.
    static func compress(_ body: ResponseBody, level: Int, on loop: LoopContext) -> ByteBuffer? {
        // Whoever calls a handler from a thread of its own gets a compressor of its own.
        guard loop.eventLoop.inEventLoop else { return Gzip.compress(body, level: level) }
        guard let deflater = shared(on: loop).deflater(level) else { return nil }
        deflater.reset()
        return Gzip.compress(body, by: deflater)
    }

    private static func shared(on loop: LoopContext) -> LoopGzip {
        let key = ObjectIdentifier(LoopGzip.self)
        if let known = loop.extensions[key] as? LoopGzip { return known }
        let made = LoopGzip()
        loop.extensions[key] = made
        return made
    }

    private func deflater(_ level: Int) -> Deflater? {
        if let known = deflaters[level] { return known }
        let made = try? Deflater(format: .gzip, level: level)
        deflaters[level] = made
        return made
    }
}

/// Content compressed piece by piece: what has come of a piece can be read before the next one.
///
/// Invariant: the state is touched on the connection's event loop only, which debug builds assert.
final class GzipStream: ContentEncoder, @unchecked Sendable {
    /// 8 KiB of history and 70 KiB of memory; the largest window would take 256.
    private static let windowBits = 13
    private static let memoryLevel = 6

    private let eventLoop: any EventLoop
    /// How much is still to come of what was announced.
    private var missing: Int?
    /// Gone at the end, whoever may still hold the stream.
    private(set) var deflater: Deflater?

    init(level: Int, length: Int?, on eventLoop: any EventLoop) throws(CompressionError) {
        self.eventLoop = eventLoop
        missing = length
        deflater = try Deflater(
            format: .gzip, level: level, windowBits: Self.windowBits, memoryLevel: Self.memoryLevel)
    }

    func encode(_ piece: ByteBuffer) throws -> ByteBuffer {
        if let missing {
            guard piece.readableBytes <= missing else {
                throw ContentLengthError(missing: missing - piece.readableBytes)
            }
            self.missing = missing - piece.readableBytes
        }
        guard piece.readableBytes > 0 else { return piece }
        return try run(piece, .sync)
    }

    func finish() throws -> ByteBuffer {
        if let missing, missing > 0 { throw ContentLengthError(missing: missing) }
        return try run(ByteBuffer(), .finish)
    }

    private func run(_ piece: ByteBuffer, _ flush: Deflater.Flush) throws -> ByteBuffer {
        eventLoop.assertInEventLoop()
        // A writer that outlives its stream writes nothing.
        guard let deflater else { throw CancellationError() }
        var out = ByteBuffer()
        try deflater.deflate(piece.readableBytesSpan, into: &out, flush: flush)
        return out
    }

    /// Gives the memory back.
    func end() {
        eventLoop.assertInEventLoop()
        deflater = nil
    }
}
