import HTTPKit
import NIOCore
import Testing

@testable import WSKit

@Suite("Unfinished messages have a minimum rate, a deadline, and a memory limit per loop")
struct MessagePaceTests {
    /// The close code that was sent, if any.
    private func closeCode(_ harness: ConnectionHarness) throws -> Int? {
        let bytes = try harness.sent()
        guard let index = bytes.indices.first(where: { bytes[$0] == 0x88 && bytes.count >= $0 + 4 }) else {
            return nil
        }
        return Int(bytes[index + 2]) << 8 | Int(bytes[index + 3])
    }

    /// Beginnings of messages: a frame with a larger announced length, a fragment, and both compressed.
    private static let beginnings: [[UInt8]] = [
        Array(frame(0x82, [UInt8](repeating: 1, count: 50_000))[..<1000]),
        frame(0x02, [UInt8](repeating: 1, count: 1000)),
        Array(frame(0xC2, [UInt8](repeating: 1, count: 50_000))[..<1000]),
        frame(0x42, [UInt8](repeating: 1, count: 1000)),
    ]

    @Test(
        "a message that stops closes the connection with 1008 after the grace period", arguments: beginnings)
    func stops(_ beginning: [UInt8]) throws {
        let harness = try ConnectionHarness(deflate: noTakeover)
        _ = harness.open()
        try harness.receive(beginning)
        for second in 0...20 { harness.tick(after: .seconds(second)) }
        #expect(try closeCode(harness) == nil)
        harness.tick(after: .seconds(21))
        #expect(try closeCode(harness) == 1008)
        #expect(harness.connection.closeReason == .failed(.messageTooSlow(rate: 240)))
        #expect(harness.connection.machine.messageUnderWay == nil)
    }

    @Test("at the minimum rate the connection stays open until the deadline; parts have no deadline")
    func deadline() throws {
        for (delivery, code) in [(MessageAssembler.Delivery.whole, 1008), (.parts, nil)] {
            let harness = try ConnectionHarness(delivery: delivery) {
                $0.messageTimeout = .seconds(100)
                $0.pingInterval = nil
            }
            harness.serve { socket in for try await _ in socket.parts {} }
            try harness.receive(Array(frame(0x82, [UInt8](repeating: 1, count: 100_000))[..<14]))
            for second in 0..<100 {
                try harness.receive([UInt8](repeating: 0, count: 240))
                harness.tick(after: .seconds(second))
            }
            #expect(try closeCode(harness) == nil)
            try harness.receive([UInt8](repeating: 0, count: 240))
            harness.tick(after: .seconds(101))
            #expect(try closeCode(harness) == code)
        }
    }

    @Test("the rate is measured per message; between messages nothing is measured")
    func eachMessage() throws {
        let harness = try ConnectionHarness { $0.pingInterval = nil }
        harness.serve { socket in for try await _ in socket.messages {} }
        for second in 0..<100 {
            if second % 19 == 0 { try harness.receive(frame(second == 0 ? 0x81 : 0x80) + frame(0x01, "a")) }
            harness.tick(after: .seconds(second))
        }
        #expect(try closeCode(harness) == nil)
    }

    @Test("time in which this end does not read is not counted")
    func heldBack() throws {
        let harness = try ConnectionHarness {
            $0.maxQueuedMessages = 1
            $0.messageTimeout = .seconds(30)
            $0.pingInterval = nil
        }
        _ = harness.open()
        try harness.receive(frame(0x01, "a") + frame(0x80, "b") + frame(0x81, "c") + frame(0x01, "d"))
        for second in 0..<200 { harness.tick(after: .seconds(second)) }
        #expect(try closeCode(harness) == nil)
    }

    @Test(
        "above the loop's memory limit the oldest message's connection is closed with 1013, until the others fit"
    )
    func memory() throws {
        let first = try ConnectionHarness(deflate: noTakeover) { $0.maxUnfinishedBytesPerLoop = 100_000 }
        let others = try (0..<3).map { _ in
            try ConnectionHarness(on: first) { $0.maxUnfinishedBytesPerLoop = 100_000 }
        }
        for harness in [first] + others { _ = harness.open() }
        let memory = first.connection.sockets.unfinished
        try first.receive(frame(0x42, [UInt8](repeating: 1, count: 1000)))
        // A message that has ended makes room.
        for _ in 0..<10 {
            try others[0].receive(frame(0x02, [UInt8](repeating: 1, count: 60_000)))
            try others[0].receive(frame(0x80))
        }
        #expect(memory.bytes > 0 && memory.bytes < 3000)
        try others[1].receive(frame(0x02, [UInt8](repeating: 1, count: 60_000)))
        #expect(try closeCode(first) == nil)
        try others[2].receive(frame(0x02, [UInt8](repeating: 1, count: 60_000)))
        #expect(try closeCode(first) == 1013)
        #expect(try closeCode(others[1]) == 1013)
        #expect(try closeCode(others[2]) == nil)
        #expect(try closeCode(others[0]) == nil)
        #expect(memory.bytes > 60_000 && memory.bytes <= 100_000)
        // A message that is too large by itself is also the oldest.
        try others[2].receive(frame(0x00, [UInt8](repeating: 1, count: 90_000)))
        #expect(try closeCode(others[2]) == 1013)
        #expect(memory.bytes == 0)
    }

    @Test("a connection that ends frees its message's memory")
    func ends() throws {
        let harness = try ConnectionHarness()
        _ = harness.open()
        try harness.receive(frame(0x02, [UInt8](repeating: 1, count: 60_000)))
        #expect(harness.connection.sockets.unfinished.bytes > 60_000)
        harness.endInput()
        #expect(harness.connection.sockets.unfinished.bytes == 0)
        #expect(harness.connection.machine.messageUnderWay == nil)
    }
}
