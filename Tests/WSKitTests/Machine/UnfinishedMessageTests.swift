import Compression
import NIOCore
import Testing

@testable import WSKit

@Suite("Memory of unfinished messages") struct UnfinishedMessageTests {
    /// A message without its tail (RFC 7692 §7.2.1).
    static func compressed(_ plain: [UInt8]) throws -> [UInt8] {
        var bytes = ByteBuffer()
        try Deflater().finishMessage(plain.span.bytes, into: &bytes)
        return Array(bytes.readableBytesView)
    }

    private static func held(_ machine: WebSocketMachine) -> Int { machine.messageUnderWay?.heldBytes ?? 0 }

    private static func feed(_ machine: inout WebSocketMachine, _ bytes: [UInt8], by size: Int) throws {
        for start in stride(from: 0, to: bytes.count, by: size) {
            var input = ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)])
            #expect(try machine.next(&input, now: start0) == nil)
            #expect(input.readableBytes == 0)
        }
    }

    private static let start0 = start

    @Test(
        "it is proportional to the bytes that have arrived, not to their inflated or announced size",
        arguments: [1000, 4096, 5000, 20_000, 60_000], [1, 700, 16 << 10, 1 << 20])
    func proportional(size: Int, step: Int) throws {
        var random = SplitMix(state: 7)
        // A mebibyte of zeros in 1 KB, then incompressible data: all but the first few kilobytes do not grow.
        let plain = [UInt8](repeating: 0, count: 900_000) + (0..<100_000).map { _ in random.next() }
        let bytes = try Self.compressed(plain.map { UInt8(truncatingIfNeeded: $0) })
        for (first, isFinal) in [(UInt8(0xC2), true), (0x42, false)] {
            let part = Array(bytes[..<size])
            let header = isFinal ? bytes : part
            var server = machine(deflate: noTakeover)
            let wire = frame(first, header)
            try Self.feed(&server, Array(wire[..<(wire.count - header.count + size)]), by: step)
            #expect(server.messageUnderWay?.received == size)
            #expect(Self.held(server) <= (size <= 4096 ? 4 * size : 16 * size + (64 << 10)))
        }
        var plainServer = machine()
        let wire = frame(0x82, plain.map { UInt8(truncatingIfNeeded: $0) })
        try Self.feed(&plainServer, Array(wire[..<(14 + size)]), by: step)
        #expect(Self.held(plainServer) <= 4 * size)
    }

    @Test(
        "the whole message is inflated when its end has arrived, however it was split",
        arguments: [1, 13, 5000, 1 << 20])
    func whole(step: Int) throws {
        var random = SplitMix(state: 8)
        let plain =
            [UInt8](repeating: 0, count: 300_000)
            + (0..<20_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let bytes = try Self.compressed(plain)
        let cut = bytes.count / 3
        for wire in [
            frame(0xC2, bytes), frame(0x42, Array(bytes[..<cut])) + frame(0x80, Array(bytes[cut...])),
            frame(0x42, bytes) + frame(0x80),
        ] {
            let chunks = stride(from: 0, to: wire.count, by: step).map {
                wire[$0..<min($0 + step, wire.count)]
            }
            #expect(run(machine(deflate: noTakeover), chunks) == Outcome(events: [.binary(plain)]))
            #expect(run(machine(deflate: DeflateParameters()), chunks) == Outcome(events: [.binary(plain)]))
        }
    }

    @Test(
        "with a quota inflating pauses and continues, with the same result",
        arguments: [1, 100, 65_536, 299_999, 300_000, 300_001], [MessageAssembler.Delivery.whole, .parts])
    func quota(quota: Int, delivery: MessageAssembler.Delivery) throws {
        let plain = [UInt8](repeating: 0x61, count: quota < 100 ? 3000 : 300_000)
        let bytes = try Self.compressed(plain)
        let wire = frame(0x41, Array(bytes[..<9])) + frame(0x80, Array(bytes[9...])) + frame(0x81, "next")
        var server = machine(deflate: noTakeover, delivery: delivery)
        var input = ByteBuffer(bytes: wire)
        var text: [UInt8] = []
        var pauses = 0
        while input.readableBytes > 0 || server.hasPendingPart {
            server.inflateQuota = quota
            let before = text.count
            while let event = try server.next(&input, now: start) {
                switch event {
                case .message(let message): text += Array(message.payload.readableBytesView)
                case .part(_, let part, _): text += Array(part.readableBytesView)
                default: Issue.record("\(event)")
                }
                if delivery == .parts, server.inflateQuota <= 0 { break }
            }
            if delivery == .parts { #expect(text.count - before <= quota + 4) }
            pauses += 1
            #expect(pauses < 10_000)
        }
        #expect(text == plain + Array("next".utf8))
        #expect(pauses >= plain.count / quota)
        #expect(server.messageUnderWay == nil)
    }

    @Test("after a failure, a close frame or a discard it is freed")
    func discarded() throws {
        let bytes = try Self.compressed([UInt8](repeating: 0, count: 1 << 20))
        var server = machine(deflate: noTakeover)
        try Self.feed(&server, frame(0x42, Array(bytes[..<1000])), by: 1 << 20)
        #expect(Self.held(server) > 0)
        var closed = server
        var input = ByteBuffer(bytes: closeFrame(1000))
        _ = try closed.next(&input, now: start)
        #expect(closed.messageUnderWay == nil)
        var out = ByteBuffer()
        server.fail(with: .reservedBit, into: &out, now: start)
        #expect(server.messageUnderWay == nil)
    }
}
