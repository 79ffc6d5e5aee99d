import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §15.5.9, RFC 9112 §9.5: time")
struct TimeoutTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test("A connection that sends nothing is closed")
    func silent() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.pass(.seconds(9))
            #expect(!wire.isEnded)
            wire.pass(.seconds(2))
            #expect(wire.isEnded)
            #expect(wire.received().isEmpty)
        }
    }

    @Test("A head that is not whole in time is 408, however it drips", arguments: [false, true])
    func slowHead(isSecond: Bool) throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            if isSecond { _ = wire.exchange(Self.get) }
            wire.send("GET / HTTP/1.1\r\n")
            let deadline = wire.connection.deadline
            for _ in 0..<4 {
                wire.pass(.seconds(2))
                wire.waitForClock()
                wire.send("a")
                #expect(wire.connection.deadline == deadline, "what drips wins no time")
            }
            #expect(!wire.isEnded)
            wire.pass(.seconds(3))
            #expect(statuses(wire.received()) == [408])
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9112 §9.5: an idle connection is closed, without an answer that nobody asked for")
    func idle() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            _ = wire.exchange(Self.get)
            wire.pass(.seconds(70))
            #expect(!wire.isEnded)
            wire.pass(.seconds(6))
            #expect(wire.isEnded)
            #expect(wire.received().isEmpty)
        }
    }

    @Test("Content that stops is 408, after its handler has waited for it")
    func slowContent() throws {
        try withWire {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n")
            wire.send(String(repeating: "x", count: 8_000))
            wire.pass(.seconds(19))
            #expect(wire.received().isEmpty)
            wire.pass(.seconds(2))
            let answer = wire.received()
            #expect(statuses(answer) == [408])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }

    @Test("A body that only drips is 408 by its rate, from its first byte on", arguments: [0, 15])
    func drippingContent(before: Int) throws {
        try withWire {
            .text(String(buffer: try await $0.body.collect()))
        } test: { wire in
            wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n")
            wire.move(.seconds(before))
            wire.send("x")
            for _ in 0..<3 {
                wire.move(.seconds(3))
                wire.send("x")
            }
            #expect(!wire.isEnded)
            wire.move(.seconds(2))
            #expect(statuses(wire.received()) == [408])
        }
    }

    @Test(
        "Before the first byte of a body, and between bytes, bodyTimeout is what counts", arguments: [20, 60])
    func bodyTimeout(seconds: Int) throws {
        var limits = HTTPLimits()
        limits.bodyTimeout = .seconds(seconds)
        for sent in ["", String(repeating: "x", count: 100_000)] {
            try withWire(limits: limits) {
                .text(String(buffer: try await $0.body.collect()))
            } test: { wire in
                wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n\(sent)")
                wire.move(.seconds(seconds - 1))
                #expect(!wire.isEnded)
                wire.move(.seconds(2))
                #expect(statuses(wire.received()) == [408])
            }
        }
    }

    @Test("A handler that takes its time is not the client's fault")
    func slowHandler() throws {
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            return .text(String(buffer: try await request.body.collect()))
        } test: { wire in
            wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
            wire.pass(.seconds(3_600))
            #expect(!wire.isEnded)
            gate.open()
            wire.settle()
            #expect(content(wire.exchange("b")) == "ab")
        }
    }

    @Test("Unread content that does not come after the answer ends the connection, dripping or not")
    func slowDiscard() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            #expect(
                statuses(wire.exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90\r\n\r\n")) == [200])
            let deadline = wire.connection.deadline
            for _ in 0..<3 {
                wire.pass(.seconds(6))
                wire.waitForClock()
                wire.send("x")
                #expect(wire.connection.deadline == deadline, "what drips wins no time")
            }
            #expect(!wire.isEnded)
            wire.pass(.seconds(3))
            #expect(wire.isEnded)
        }
    }

    @Test("A client that takes nothing is disconnected; one that takes a little is not")
    func stalledClient() throws {
        try withWire { _ in
            .text(String(repeating: "x", count: 300_000))
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get)
            wire.pass(.seconds(1))
            wire.pass(.seconds(28))
            #expect(!wire.isClosed)
            wire.pass(.seconds(3))
            #expect(wire.isClosed)
        }
    }

    @Test("Progress is what the client has taken, not what is left")
    func writeProgress() {
        let limits = WriteProgress.Limits(timeout: .seconds(30), rate: 0, grace: .zero)
        var now = LoopInstant(milliseconds: 0)
        var handedOver = 1_000
        let progress = WriteProgress(handedOver: handedOver, unsent: 500, now: now)
        func isStalled(at time: LoopInstant) -> Bool {
            progress.look(handedOver: handedOver, unsent: 500, isFull: false, now: time, limits: limits)
                == .stalled
        }
        // As much is written as is taken: what waits never becomes less.
        for _ in 0..<100 {
            #expect(!isStalled(at: now))
            handedOver += 10
            now = now.advanced(by: .seconds(29))
        }
        handedOver -= 10
        #expect(isStalled(at: now.advanced(by: .seconds(2))))
    }

    @Test("A large answer that is still on its way is not cut off by the timeout of idle connections")
    func slowDownload() throws {
        var limits = HTTPLimits()
        limits.idleTimeout = .seconds(10)
        try withWire(limits: limits) { _ in
            .text(String(repeating: "x", count: 300_000))
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get)
            for _ in 0..<4 { wire.pass(.seconds(7)) }
            wire.resumeTaking()
            #expect(wire.receivedCount() > 300_000)
            #expect(!wire.isEnded)
        }
    }

    @Test("A pipelined head that waits for the client to read is not late")
    func headBehindUnreadAnswers() throws {
        var limits = HTTPLimits()
        limits.idleTimeout = .seconds(5)
        limits.headTimeout = .seconds(5)
        try withWire(limits: limits) { _ in
            .text(String(repeating: "x", count: 300_000))
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get + Self.get)
            wire.pass(.seconds(20))
            wire.resumeTaking()
            #expect(statuses(wire.received()) == [200, 200])
        }
    }

    @Test("RFC 9112 §9.6: the wait for the client's end begins when all is sent")
    func lingerBehindSlowClient() throws {
        try withWire { _ in
            .text(String(repeating: "x", count: 300_000))
        } test: { wire in
            wire.stopTaking()
            wire.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            wire.pass(.seconds(10))
            #expect(!wire.isEnded)
            wire.resumeTaking()
            #expect(wire.receivedCount() > 300_000)
            #expect(wire.isEnded)
        }
    }
}

@Suite("Shutting down")
struct DrainTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test("An idle connection is closed when its grace period is over")
    func idle() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            _ = wire.exchange(Self.get)
            wire.drain(within: .seconds(10))
            wire.pass(.milliseconds(400))
            #expect(!wire.isEnded)
            wire.pass(.milliseconds(200))
            #expect(wire.isEnded)
        }
        var limits = HTTPLimits()
        limits.drainGracePeriod = .zero
        try withWire(limits: limits) { _ in
            .text("x")
        } test: { wire in
            wire.drain(within: .seconds(10))
            wire.pass(.zero)
            #expect(wire.isEnded)
        }
    }

    @Test("A request that was on its way when the drain began is served, and is the last")
    func onItsWay() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            _ = wire.exchange(Self.get)
            wire.drain(within: .seconds(10))
            wire.pass(.milliseconds(300))
            wire.send(Self.get + Self.get)
            let answer = wire.received()
            #expect(statuses(answer) == [200])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9112 §9.6: a request in flight is finished, says close, and is the last")
    func inFlight() throws {
        let gate = Gate()
        try withWire { _ in
            await gate.pass()
            return .text("x")
        } test: { wire in
            wire.send(Self.get + Self.get)
            wire.drain(within: .seconds(10))
            #expect(!wire.isEnded)
            gate.open()
            wire.settle()
            let answer = wire.received()
            #expect(statuses(answer) == [200])
            #expect(answer.has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }

    @Test("A head that has begun may be finished")
    func insideHead() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.send("GET / HT")
            wire.drain(within: .seconds(10))
            #expect(!wire.isEnded)
            wire.send("TP/1.1\r\nHost: h\r\n\r\n")
            #expect(wire.received().has("\r\nConnection: close\r\n"))
            #expect(wire.isEnded)
        }
    }

    @Test("What is left at the deadline is closed")
    func deadline() throws {
        let gate = Gate()
        try withWire { _ in
            await gate.pass()
            return .text("x")
        } test: { wire in
            wire.send(Self.get)
            wire.drain(within: .seconds(10))
            wire.pass(.seconds(9))
            #expect(!wire.isClosed)
            wire.pass(.seconds(2))
            #expect(wire.isClosed)
            gate.open()
        }
    }

    @Test("A connection that was accepted just before has the grace period for its request")
    func late() throws {
        for isSilent in [true, false] {
            try withWire(draining: LoopInstant.now.advanced(by: .seconds(10))) { _ in
                .text("x")
            } test: { wire in
                #expect(!wire.isEnded)
                if isSilent {
                    wire.pass(.milliseconds(600))
                    #expect(wire.received().isEmpty)
                } else {
                    let answer = wire.exchange(Self.get)
                    #expect(statuses(answer) == [200] && answer.has("\r\nConnection: close\r\n"))
                }
                #expect(wire.isEnded)
            }
        }
    }
}
