import Compression
import HTTPKit
import NIOCore
import Testing

@testable import WSKit

@Suite struct LastPartTests {
    @Test(
        "a compressed message is delivered completely in parts, even if its input is consumed before the last part",
        arguments: [65_537, 65_544, 65_700, 131_073])
    func comes(size: Int) throws {
        let harness = try ConnectionHarness(deflate: noTakeover, delivery: .parts)
        let journal = Journal()
        harness.serve { socket in
            for try await part in socket.parts { journal.note("\(part.data.readableBytes) \(part.isFinal)") }
        }
        try harness.receive(try message(size))
        #expect(journal.all.last?.hasSuffix("true") == true)
    }

    @Test("the last part is not lost when the peer closes its side after it")
    func comesBeforeTheEnd() throws {
        let harness = try ConnectionHarness(deflate: noTakeover, delivery: .parts) {
            $0.maxQueuedMessages = 1
        }
        let socket = harness.open()
        try harness.receive(try message(65_537))
        harness.endInput()
        let journal = Journal()
        harness.loop.turn {
            harness.connection.run {
                for try await part in socket.parts {
                    journal.note("\(part.data.readableBytes) \(part.isFinal)")
                }
            }
        }
        harness.run()
        #expect(journal.all == ["65536 false", "1 true"])
    }

    private func message(_ size: Int) throws -> [UInt8] {
        var bytes = ByteBuffer()
        let plain = ByteBuffer(repeating: 0x61, count: size)
        try Deflater().finishMessage(plain.readableBytesSpan, into: &bytes)
        return frame(0xC2, Array(bytes.readableBytesView))
    }
}
