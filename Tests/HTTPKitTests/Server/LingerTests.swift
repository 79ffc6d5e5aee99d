import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §9.6: closing while the client still sends")
struct LingerTests {
    private static let close = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    @Test("A client that sends nothing and does not close is given up after lingerTimeout")
    func silent() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.send(Self.close)
            wire.move(.seconds(4))
            #expect(wire.isEnded && !wire.isClosed)
            wire.move(.seconds(2))
            #expect(wire.isClosed)
        }
    }

    @Test("However much the client sends, it is read: no reset destroys the response")
    func unlimited() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 67108864\r\n\r\n")
            #expect(statuses(wire.received()) == [200])
            #expect(wire.isEnded && !wire.isClosed)
            for _ in 0..<1024 {
                wire.send([UInt8](repeating: 0x78, count: 64 << 10))
                #expect(wire.transport.isReading)
            }
            #expect(!wire.isClosed)
            wire.sendEnd()
            #expect(wire.isClosed)
        }
    }

    @Test(
        "A client that goes on sending is given up after maxLingerTime",
        arguments: [(1, 30), (2, 30), (4, 30), (6, 6)])
    func dripping(every pause: Int, closedAfter end: Int) throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.send(Self.close)
            var seconds = 0
            while !wire.isClosed, seconds < 100 {
                wire.move(.seconds(pause))
                seconds += pause
                wire.send("x")
            }
            #expect((end..<(end + pause)).contains(seconds))
        }
    }

    @Test("The deadline of a drain comes first")
    func draining() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            wire.send(Self.close)
            wire.drain(within: .seconds(3))
            for second in 1...3 {
                #expect(!wire.isClosed, "after \(second - 1) s")
                wire.move(.seconds(1))
                wire.send("x")
            }
            #expect(wire.isClosed)
        }
    }

    @Test("Both bounds are limits of the server")
    func limits() throws {
        var limits = HTTPLimits()
        limits.lingerTimeout = .seconds(60)
        limits.maxLingerTime = .seconds(20)
        try withWire(limits: limits) { _ in
            .text("x")
        } test: { wire in
            wire.send(Self.close)
            wire.move(.seconds(19))
            #expect(!wire.isClosed)
            wire.move(.seconds(1))
            #expect(wire.isClosed)
        }
    }
}
