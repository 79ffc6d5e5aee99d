import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite("Sockets that compress give way to other connections") struct CodecTurnTests {
    /// Many messages in a few bytes each.
    private static func bombs(_ count: Int, size: Int = 1 << 20) throws -> [UInt8] {
        let bytes = try UnfinishedMessageTests.compressed([UInt8](repeating: 0x61, count: size))
        return (0..<count).flatMap { _ in frame(0xC1, bytes) }
    }

    private func make(
        _ consumer: WebSocketConnection.Consumer = .task, on neighbour: ConnectionHarness? = nil,
        limits: (inout WSLimits) -> Void = { _ in }
    ) throws -> ConnectionHarness {
        try ConnectionHarness(
            consumer: consumer, deflate: noTakeover, on: neighbour, limits: limits)
    }

    private func pass(_ harness: ConnectionHarness, _ turns: Int = 1) {
        for _ in 0..<turns {
            harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            harness.run()
        }
    }

    @Test(
        "callbacks: one large message per turn, and another client's small messages at once",
        arguments: [1, 5])
    func callbacks(attackers: Int) throws {
        let journal = Journal()
        let victim = try make(.callbacks(Callbacks(journal: Journal())))
        _ = victim.open()
        let harnesses = try (0..<attackers).map { _ in
            try make(.callbacks(Callbacks(journal: journal)), on: victim) {
                $0.maxInflatedBytesPerSecond = nil
            }
        }
        for harness in harnesses {
            _ = harness.open()
            try harness.receive(try Self.bombs(10))
        }
        var turns = 0
        var most = 0
        while journal.all.count < 10 * attackers, turns < 1000 {
            let before = journal.all.count
            try victim.receive(frame(0x81, "plain") + (try Self.bombs(3, size: 1000)))
            #expect(try victim.sent().starts(with: frame(0x81, "plain", key: nil)), "at once")
            pass(victim)
            most = max(most, journal.all.count - before)
            turns += 1
        }
        #expect(journal.all.count == 10 * attackers)
        #expect(most <= 2)
    }

    @Test("closures: receiving and sending take turns")
    func closures() throws {
        let journal = Journal()
        let victim = try make()
        victim.serve { socket in for try await message in socket.messages { try await socket.send(message) } }
        let attacker = try make(on: victim) { $0.maxInflatedBytesPerSecond = nil }
        attacker.serve { socket in
            for try await message in socket.messages {
                journal.note("in")
                try await socket.send(message)
                journal.note("out")
            }
        }
        try attacker.receive(try Self.bombs(10))
        var turns = 0
        while journal.all.count < 20, turns < 1000 {
            let before = journal.all.count
            try victim.receive(frame(0x81, "small"))
            #expect(try victim.sent() == frame(0x81, "small", key: nil))
            pass(victim)
            #expect(journal.all.count - before <= 2)
            turns += 1
        }
        #expect(journal.all == (0..<10).flatMap { _ in ["in", "out"] })
    }

    @Test("a message larger than a turn takes several")
    func large() throws {
        let journal = Journal()
        let harness = try make(.callbacks(Callbacks(journal: journal))) {
            $0.codecBytesPerTurn = 100_000
            $0.maxInflatedBytesPerSecond = nil
        }
        _ = harness.open()
        try harness.receive(try Self.bombs(1, size: 1_000_000) + frame(0x81, "next"))
        pass(harness, 8)
        #expect(journal.all.isEmpty)
        pass(harness, 8)
        #expect(journal.all.count == 2 && journal.all.last == "next")
    }

    @Test("above the rate of inflated bytes a socket is not read for a while, but stays open")
    func rate() throws {
        let journal = Journal()
        let harness = try make(.callbacks(Callbacks(journal: journal))) {
            $0.maxInflatedBytesPerSecond = 1 << 20
            $0.codecBytesPerTurn = 64 << 20
        }
        _ = harness.open()
        for _ in 0..<3 { try harness.receive(try Self.bombs(1)) }
        #expect(journal.all.count == 2)
        harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(800))
        harness.run()
        #expect(journal.all.count == 2)
        harness.channel.embeddedEventLoop.advanceTime(by: .milliseconds(300))
        harness.run()
        #expect(journal.all.count == 3)
        #expect(harness.channel.isActive)
    }

    @Test("a socket that ends while it waits for its turn ends normally")
    func ends() throws {
        let journal = Journal()
        let harness = try make(.callbacks(Callbacks(journal: journal)))
        _ = harness.open()
        try harness.receive(try Self.bombs(3) + closeFrame(1000))
        harness.endInput()
        pass(harness, 20)
        #expect(journal.all.count == 4 && journal.all.last == "close 1000")
        #expect(harness.connection.isClosed)
    }
}
