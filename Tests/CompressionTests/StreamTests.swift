import Compression
import NIOCore
import Testing

/// A repeatable source of randomness.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private func deflated(_ bytes: [UInt8], by deflater: Deflater) throws -> [UInt8] {
    var out = ByteBuffer()
    try deflater.finishMessage(bytes.span.bytes, into: &out)
    return Array(out.readableBytesView)
}

private func inflated(_ bytes: [UInt8], by inflater: Inflater, limit: Int = 1 << 24) throws -> [UInt8] {
    var out = ByteBuffer()
    let whole = bytes + [0x00, 0x00, 0xFF, 0xFF]
    let progress = try inflater.inflate(whole.span.bytes, into: &out, room: limit)
    if progress.isFull {
        try inflater.inflateAtLimit(whole.span.bytes.extracting(droppingFirst: progress.consumed))
    }
    return Array(out.readableBytesView)
}

/// Text that is about as compressible as chat.
private func prose(_ count: Int, _ random: inout SplitMix) -> [UInt8] {
    let words = ["the ", "socket ", "of ", "a ", "page ", "is ", "one ", "port ", "\u{e4}hnlich ", "42 "]
    var text: [UInt8] = []
    while text.count < count { text += Array((words.randomElement(using: &random) ?? "").utf8) }
    return Array(text.prefix(count))
}

@Suite struct StreamTests {
    @Test("every window and memory level, with one history for 40 messages", arguments: 9...15)
    func roundTrip(windowBits: Int) throws {
        var random = SplitMix(state: UInt64(windowBits))
        for memoryLevel in [1, 4, 8, 9] {
            let deflater = try Deflater(windowBits: windowBits, memoryLevel: memoryLevel)
            let inflater = try Inflater(windowBits: windowBits)
            for index in 0..<40 {
                var message = prose(Int.random(in: 0...3_000, using: &random), &random)
                if index % 10 == 7 {
                    message = (0..<70_000).map { _ in UInt8.random(in: 0...255, using: &random) }
                }
                #expect(try inflated(try deflated(message, by: deflater), by: inflater) == message)
            }
        }
    }

    @Test("window bits that zlib cannot compress with are rejected", arguments: [0, 7, 8, 16])
    func refusedWindow(windowBits: Int) {
        #expect(throws: CompressionError.memory) { _ = try Deflater(windowBits: windowBits) }
    }

    @Test("RFC 1952 §2.3: a member has a header, a checksum and a length, also after a reset")
    func gzip() throws {
        let deflater = try Deflater(format: .gzip)
        for text in ["123456789", ""] {
            deflater.reset()
            var out = ByteBuffer()
            try deflater.deflate(text.utf8.span.bytes, into: &out, flush: .finish)
            var bytes = Array(out.readableBytesView)
            #expect(bytes.starts(with: [0x1F, 0x8B, 8, 0]))
            // The CRC-32 of these nine digits is its standard check value.
            let trailer: [UInt8] =
                text.isEmpty ? [0, 0, 0, 0, 0, 0, 0, 0] : [0x26, 0x39, 0xF4, 0xCB, 9, 0, 0, 0]
            #expect(Array(bytes.suffix(8)) == trailer)
            bytes = Array(bytes.dropFirst(10).dropLast(8))
            var plain = ByteBuffer()
            _ = try Inflater().inflate(bytes.span.bytes, into: &plain, room: 100)
            #expect(String(buffer: plain) == text)
        }
    }

    @Test("a stream that has ended accepts no more input until it is reset")
    func finished() throws {
        let deflater = try Deflater(format: .gzip)
        var out = ByteBuffer()
        try deflater.deflate("x".utf8.span.bytes, into: &out, flush: .finish)
        #expect(throws: CompressionError.memory) {
            try deflater.deflate("x".utf8.span.bytes, into: &out, flush: .sync)
        }
    }

    @Test("RFC 7692 §7.2.3.6: every empty message is one byte")
    func empty() throws {
        let deflater = try Deflater()
        for _ in 0..<3 { #expect(try deflated([], by: deflater) == [0x00]) }
        #expect(try inflated([0x00], by: try Inflater()).isEmpty)
    }

    @Test("the limit is exact to the byte", arguments: [1, 2, 63, 64, 65, 4_096, 65_535, 65_536, 100_000])
    func exactLimit(count: Int) throws {
        let message = [UInt8](repeating: 0x61, count: count)
        let packed = try deflated(message, by: try Deflater())
        #expect(try inflated(packed, by: try Inflater(), limit: count) == message)
        #expect(throws: CompressionError.overLimit) {
            _ = try inflated(packed, by: try Inflater(), limit: count - 1)
        }
    }

    @Test("a decompression bomb yields and allocates no more than the limit")
    func bomb() throws {
        let packed = try deflated([UInt8](repeating: 0, count: 50_000_000), by: try Deflater(level: 9))
        #expect(packed.count < 60_000)
        let inflater = try Inflater()
        var out = ByteBuffer()
        let progress = try inflater.inflate(packed.span.bytes, into: &out, room: 1 << 20)
        #expect(progress.isFull)
        #expect(out.readableBytes == 1 << 20)
        #expect(out.capacity <= 1 << 21)
        #expect(throws: CompressionError.overLimit) {
            try inflater.inflateAtLimit(packed.span.bytes.extracting(droppingFirst: progress.consumed))
        }
    }

    @Test("one byte at a time in both directions")
    func trickle() throws {
        var random = SplitMix(state: 5)
        let message = prose(5_000, &random)
        let packed = try deflated(message, by: try Deflater()) + [0x00, 0x00, 0xFF, 0xFF]
        let inflater = try Inflater()
        var out = ByteBuffer()
        for byte in packed {
            let piece = [byte]
            var consumed = 0
            while true {
                let rest = piece.span.bytes.extracting(droppingFirst: consumed)
                let progress = try inflater.inflate(rest, into: &out, room: 1)
                consumed += progress.consumed
                if !progress.isFull { break }
            }
        }
        #expect(Array(out.readableBytesView) == message)
    }

    @Test("a message that was added as a dictionary can be referred to")
    func learns() throws {
        var random = SplitMix(state: 6)
        let first = (0..<600).map { _ in UInt8.random(in: 0...255, using: &random) }
        let deflater = try Deflater()
        let inflater = try Inflater()
        _ = try inflated(try deflated([1, 2, 3], by: deflater), by: inflater)
        try deflater.setDictionary(first.span.bytes)
        _ = try inflated(try deflated(first, by: try Deflater()), by: inflater)
        let packed = try deflated(first, by: deflater)
        #expect(packed.count < 30)
        #expect(try inflated(packed, by: inflater) == first)
    }

    @Test("a history moves from one decompressor to another")
    func moves() throws {
        var random = SplitMix(state: 7)
        let deflater = try Deflater()
        var inflater = try Inflater()
        for _ in 0..<50 {
            let message = prose(Int.random(in: 1...9_000, using: &random), &random)
            #expect(try inflated(try deflated(message, by: deflater), by: inflater) == message)
            let history = inflater.dictionary()
            #expect(history.count <= 32 << 10)
            inflater = try Inflater()
            try inflater.setDictionary(history)
        }
    }

    @Test(
        "bytes that are not deflate data are corrupt",
        arguments: [[0x07], [0xFF, 0xFF], [0x01, 0x05, 0x00, 0x00, 0x00], [0x4B, 0x04, 0x12, 0x00, 0xFF]]
            as [[UInt8]])
    func corrupt(bytes: [UInt8]) {
        #expect(throws: CompressionError.corrupt) {
            _ = try inflated(bytes + [UInt8](repeating: 0xFF, count: 8), by: try Inflater())
        }
    }

    @Test("random bytes cause nothing worse than an error")
    func noise() throws {
        var random = SplitMix(state: 8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            do throws(CompressionError) {
                let inflater = try Inflater(windowBits: 9)
                var out = ByteBuffer()
                _ = try inflater.inflate(bytes.span.bytes, into: &out, room: 300)
                #expect(out.readableBytes <= 300)
            } catch {
                #expect(error == .corrupt)
            }
        }
    }

    @Test("RFC 7692 §7.2.3.4: a last block does not end the stream, and many of them cost little")
    func lastBlocks() throws {
        let hello: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let inflater = try Inflater()
        #expect(try inflated(hello + hello + [0x00], by: inflater) == Array("HelloHello".utf8))
        // An empty last block is two bytes.
        let many = [UInt8](unsafeUninitializedCapacity: 400_000) { target, count in
            for index in 0..<200_000 { (target[index * 2], target[index * 2 + 1]) = (0x03, 0x00) }
            count = 400_000
        }
        #expect(try inflated(many + hello + [0x00], by: inflater) == Array("Hello".utf8))
    }
}
