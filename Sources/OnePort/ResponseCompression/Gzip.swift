import Compression
import HTTPKit
import NIOCore

/// Compresses whole bodies with gzip (RFC 1952).
enum Gzip {
    /// Compresses a body with a new compressor. Returns `nil` if there is not enough memory.
    static func compress(_ body: ResponseBody, level: Int) -> ByteBuffer? {
        guard let deflater = try? Deflater(format: .gzip, level: level) else { return nil }
        return compress(body, by: deflater)
    }

    /// Compresses a body with a compressor that is new or was reset.
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

/// The compressors that the responses of one event loop share, one for each level. Creating one and clearing its 256 KiB
/// would cost more than compressing most responses.
///
/// It belongs to its loop and is not `Sendable`. It is reset for every response, so no response sees data of another.
final class LoopGzip {
    private var deflaters: [Int: Deflater] = [:]

    /// Compresses a body. Returns `nil` if there is not enough memory.
    static func compress(_ body: ResponseBody, level: Int, on loop: LoopContext) -> ByteBuffer? {
        // A handler that was called on another thread gets a new compressor.
        guard loop.eventLoop.inEventLoop else { return Gzip.compress(body, level: level) }
        guard let deflater = local[loop].deflater(level) else { return nil }
        deflater.reset()
        return Gzip.compress(body, by: deflater)
    }

    private static let local = LoopLocal { _ in LoopGzip() }

    private func deflater(_ level: Int) -> Deflater? {
        if let known = deflaters[level] { return known }
        let made = try? Deflater(format: .gzip, level: level)
        deflaters[level] = made
        return made
    }
}

/// Compresses a body piece by piece. The client can decode each piece before the next one arrives.
///
/// Invariant: the state is only accessed on the connection's event loop, which debug builds assert.
final class GzipStream: ContentEncoder, @unchecked Sendable {
    /// 8 KiB of history and 70 KiB of memory. The largest window would take 256 KiB.
    private static let windowBits = 13
    private static let memoryLevel = 6

    private let eventLoop: any EventLoop
    /// How many bytes of the announced length are missing.
    private var missing: Int?
    /// The compressor, until the stream ends. Its memory is freed then, even if something still references the stream.
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
        // A writer must not write after its stream has ended.
        guard let deflater else { throw CancellationError() }
        var out = ByteBuffer()
        try deflater.deflate(piece.readableBytesSpan, into: &out, flush: flush)
        return out
    }

    /// Frees the memory.
    func end() {
        eventLoop.assertInEventLoop()
        deflater = nil
    }
}
