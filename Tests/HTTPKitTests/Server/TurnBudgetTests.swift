import NIOCore
import Synchronization
import Testing

@testable import HTTPKit

@Suite("The time budget of a turn", .timeLimit(.minutes(1)))
struct TurnBudgetTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// Seconds instead of milliseconds, so that the time that the test itself takes does not count.
    private static let limits = {
        var limits = HTTPLimits()
        limits.turnBudget = .seconds(8)
        return limits
    }()

    @Test(
        "Pipelined requests that take long give way after the budget",
        arguments: [
            // Seconds for each request, and how many are answered in a turn.
            (0, 40), (1, 8), (3, 3), (7, 2), (8, 1), (500, 1),
        ])
    func pipelined(seconds: Int64, perTurn: Int) throws {
        try withWire(limits: Self.limits) { request in
            request.connection.loop.clockOffset += seconds * 1000
            return .text("x")
        } test: { wire in
            wire.deliver(String(repeating: Self.get, count: 40).utf8)
            var turns = 1
            var answered = statuses(wire.received()).count
            #expect(answered == perTurn)
            #expect(wire.transport.isReading == (perTurn == 40), "nothing more is read meanwhile")
            while answered < 40, turns < 50 {
                wire.runNextTurn()
                let more = statuses(wire.received()).count
                answered += more
                turns += 1
                #expect(more == perTurn || answered == 40)
            }
            #expect(turns == (40 + perTurn - 1) / perTurn)
            #expect(wire.transport.isReading, "reading goes on behind the last one")
            #expect(statuses(wire.exchange(Self.get)) == [200])
        }
    }

    @Test("The budget is a limit of the server", arguments: [(4, 4), (9, 9), (100, 40)])
    func limit(budget: Int, perTurn: Int) throws {
        var limits = HTTPLimits()
        limits.turnBudget = .seconds(budget)
        try withWire(limits: limits) { request in
            request.connection.loop.clockOffset += 1000
            return .text("x")
        } test: { wire in
            wire.deliver(String(repeating: Self.get, count: 40).utf8)
            #expect(statuses(wire.received()).count == perTurn)
        }
    }

    @Test("What arrives while a connection gives way is kept in order, and an end waits for its turn")
    func arrivesMeanwhile() throws {
        try withWire(limits: Self.limits) { request in
            request.connection.loop.clockOffset += 10_000
            return .text(request.path)
        } test: { wire in
            wire.deliver("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HT".utf8)
            wire.deliver("TP/1.1\r\nHost: h\r\n\r\n".utf8)
            wire.sendEnd()
            let answers = wire.received()
            #expect(statuses(answers) == [200, 200, 200])
            #expect(answers.has("/1") && answers.has("/2") && answers.has("/3"))
            #expect(wire.isEnded)
        }
    }

    @Test("A connection that is closed while it gives way runs no more requests")
    func closedMeanwhile() throws {
        let notes = Notes()
        try withWire(limits: Self.limits) { request in
            notes.add(request.path)
            request.connection.loop.clockOffset += 10_000
            return .text("x")
        } test: { wire in
            wire.deliver((Self.get + Self.get).utf8)
            wire.hangUp()
            #expect(notes.lines == ["/"])
        }
    }

    @Test("A handler that writes to a client that reads as fast gives way", arguments: [1, 4])
    func streaming(seconds: Int64) throws {
        let notes = Notes()
        try withWire(limits: Self.limits) { request in
            let loop = request.connection.loop
            return .stream { writer in
                for index in 0..<40 {
                    try await writer.write(ByteBuffer(repeating: 0x78, count: 64 << 10))
                    loop.clockOffset += seconds * 1000
                    notes.add("\(index)")
                }
            }
        } test: { wire in
            wire.deliver(Self.get.utf8)
            let perTurn = 8 / Int(seconds)
            #expect(notes.lines.count == perTurn)
            wire.runNextTurn()
            #expect(notes.lines.count == 2 * perTurn)
            wire.settle()
            #expect(wire.receivedCount() > 40 * (64 << 10))
        }
    }

    @Test("Tasks that yield for ever do not keep the turn")
    func yielding() throws {
        let notes = Notes()
        try withWire(limits: Self.limits) { request in
            for _ in 0..<100 {
                await Task.yield()
                request.connection.loop.clockOffset += 1000
                notes.add("")
            }
            return .text("x")
        } test: { wire in
            wire.deliver(Self.get.utf8)
            #expect(notes.lines.count < 16)
            wire.settle()
            #expect(statuses(wire.received()) == [200])
        }
    }

    @Test("Work that was put off runs in order, each in a turn of its own, for one budget at a time")
    func deferred() throws {
        try withWire(limits: Self.limits) { _ in
            .text("x")
        } test: { wire in
            let notes = Notes()
            for index in 0..<6 {
                wire.loop.giveWay {
                    notes.add("\(index)")
                    wire.loop.clockOffset += 4000
                    if index == 0 { wire.loop.giveWay { notes.add("again") } }
                }
            }
            wire.runNextTurn()
            #expect(notes.lines == ["0", "1"])
            wire.settle()
            #expect(notes.lines == ["0", "1", "2", "3", "4", "5", "again"])
        }
    }

    @Test("spend looks at the clock once per 64 KiB")
    func spend() throws {
        try withWire(limits: Self.limits) { _ in
            .text("x")
        } test: { wire in
            wire.loop.turn {
                wire.loop.clockOffset += 8000
                #expect(!wire.loop.spend(bytes: 65_535))
                #expect(wire.loop.spend(bytes: 1))
                #expect(wire.loop.spend(bytes: 0), "it stays used up")
            }
            wire.loop.turn { #expect(!wire.loop.spend(bytes: 1 << 20), "a turn begins anew") }
        }
    }
}

@Suite("The time budget of a turn, on a real loop", .timeLimit(.minutes(2)))
struct LiveTurnBudgetTests {
    @Test(
        "A client is served while another has requests in the pipeline; without a budget it waits for all of them",
        arguments: [(8, 5_000, true), (60_000, 100, false)])
    func fair(budget: Int, count: Int, isFair: Bool) async throws {
        let done = Atomic(0)
        let isServed = Atomic(false)
        try await LiveServer.run(threads: 1) {
            $0.limits.turnBudget = .milliseconds(budget)
        } _: { request in
            if request.path == "/work" {
                done.add(1, ordering: .relaxed)
                let start = ContinuousClock.now
                // There is nothing more to show once the other client has been served.
                while !isServed.load(ordering: .relaxed), ContinuousClock.now - start < .milliseconds(2) {}
            } else if request.path == "/other" {
                isServed.store(true, ordering: .relaxed)
                return .text("\(done.load(ordering: .relaxed))")
            }
            return .text("x")
        } test: { server in
            let (greedy, other) = (try await LiveClient(to: server), try await LiveClient(to: server))
            _ = try await other.get("/")
            let requests = String(repeating: "GET /work HTTP/1.1\r\nHost: h\r\n\r\n", count: count)
            let last = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            async let answers = {
                try await greedy.send(requests + last)
                return String(decoding: try await greedy.receiveAll(), as: UTF8.self)
            }()
            try await waitUntil { done.load(ordering: .relaxed) > 0 }
            let before = try #require(Int(try await other.get("/other").text))
            #expect((before < count) == isFair, "behind \(before) of \(count)")
            #expect(statuses(try await answers).count == count + 1)
        }
    }
}
