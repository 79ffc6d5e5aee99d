import Compression
import NIOCore

/// The cost of a compressed message in zlib: 1 KiB of JSON, without context takeover (RFC 7692 §7.2).
enum CompressionWorkloads {
    static let all: [Workload] = [deflate, inflate]

    /// 1 KiB of JSON that compresses like that of an application.
    static let json: ByteBuffer = {
        var text = ""
        var random: UInt32 = 1
        var index = 0
        while text.utf8.count < 1024 {
            random = random &* 1_103_515_245 &+ 12_345
            text +=
                "{\"id\":\(index),\"user\":\"user\(random >> 20)\",\"price\":\((random >> 8) % 1000),\"open\":true},"
            index += 1
        }
        return ByteBuffer(string: String(text.prefix(1024)))
    }()

    static func deflated() throws -> ByteBuffer {
        let deflater = try Deflater()
        var out = ByteBuffer()
        try deflater.finishMessage(json.readableBytesSpan, into: &out)
        return out
    }

    private static let deflate = Workload("deflate-1k", bytes: 1024) {
        let deflater = try Deflater()
        var out = ByteBufferAllocator().buffer(capacity: 4096)
        return { count in
            for _ in 0..<count {
                out.clear()
                deflater.reset()
                try deflater.finishMessage(json.readableBytesSpan, into: &out)
            }
            guard out.readableBytes > 0, out.readableBytes < 1024 else {
                throw WrongResult(description: "deflate")
            }
        }
    }

    private static let inflate = Workload("inflate-1k", bytes: 1024) {
        var message = try deflated()
        // The end of the flush, which the sender removed (RFC 7692 §7.2.2).
        message.writeInteger(UInt32(0x0000_FFFF))
        let wire = message
        let inflater = try Inflater()
        var out = ByteBufferAllocator().buffer(capacity: 4096)
        return { count in
            for _ in 0..<count {
                out.clear()
                inflater.reset()
                _ = try inflater.inflate(wire.readableBytesSpan, into: &out, room: 1 << 20)
            }
            guard out == json else { throw WrongResult(description: "inflate") }
        }
    }
}
