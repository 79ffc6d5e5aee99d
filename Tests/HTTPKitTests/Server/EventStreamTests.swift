import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("Event streams (WHATWG HTML §9.2)")
struct EventStreamTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// A stream that sends nothing until it is cancelled.
    private static func silent(_ notes: Notes) -> Response {
        .events { _ in
            let never = AsyncStream<Void> { _ in }
            for await _ in never {}
            notes.add(Task.isCancelled ? "cancelled" : "ended")
        }
    }

    @Test("The head goes out before the first event")
    func head() throws {
        try withWire { _ in
            Self.silent(Notes())
        } test: { wire in
            let head = wire.exchange(Self.get)
            #expect(statuses(head) == [200])
            #expect(head.has("\r\nContent-Type: text/event-stream\r\n"))
            #expect(head.hasSuffix("\r\n\r\n"))
        }
    }

    @Test("A drain ends a stream with the last chunk, cancels its handler, and closes")
    func drain() throws {
        let notes = Notes()
        try withWire { _ in
            Self.silent(notes)
        } test: { wire in
            wire.send(Self.get)
            _ = wire.received()
            wire.drain(within: .seconds(20))
            #expect(wire.received() == "0\r\n\r\n")
            #expect(wire.isEnded)
            #expect(notes.lines == ["cancelled"])
        }
    }

    @Test("An error that is thrown before the first event breaks the stream off, for the head has gone")
    func failure() throws {
        struct Oops: Error {}
        try withWire { _ in
            .events { _ in throw Oops() }
        } test: { wire in
            let answer = wire.exchange(Self.get)
            #expect(statuses(answer) == [200])
            #expect(content(answer).isEmpty)
            #expect(wire.isClosed)
        }
    }

    @Test("HEAD of a stream does not begin it")
    func headRequest() throws {
        let notes = Notes()
        try withWire { _ in
            Self.silent(notes)
        } test: { wire in
            let answer = wire.exchange("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(answer.has("\r\nContent-Type: text/event-stream\r\n"))
            #expect(statuses(wire.exchange("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")) == [200])
        }
        #expect(notes.lines.isEmpty)
    }

    private static let heartbeat = "3\r\n:\n\n\r\n"

    @Test("A silent stream sends a comment after each interval, a stream with events sends none")
    func heartbeats() throws {
        let gate = Gate()
        try withWire { _ in
            .events { events in
                for _ in 0..<2 {
                    await gate.pass()
                    try await events.send(ServerSentEvent(data: "x"))
                }
                await gate.pass()
            }
        } test: { wire in
            wire.send(Self.get)
            _ = wire.received()
            wire.pass(.zero)
            wire.pass(.seconds(14))
            #expect(wire.received().isEmpty)
            wire.pass(.seconds(1))
            #expect(wire.received() == Self.heartbeat)
            wire.pass(.milliseconds(500))
            for _ in 0..<2 {
                wire.pass(.seconds(14))
                gate.open()
                wire.settle()
                #expect(wire.received() == "9\r\ndata: x\n\n\r\n")
                wire.pass(.milliseconds(500))
            }
            wire.pass(.seconds(15))
            #expect(wire.received() == Self.heartbeat)
            gate.open()
            wire.settle()
            #expect(wire.received() == "0\r\n\r\n")
            wire.pass(.seconds(16))
            #expect(wire.received().isEmpty, "nothing comes behind the end")
        }
    }

    @Test("The interval is an option, and so is none", arguments: [nil, 1.0, 0, -1])
    func interval(seconds: Double?) throws {
        let notes = Notes()
        try withWire { _ in
            .events(EventStreamOptions { $0.heartbeat = seconds.map { .seconds($0) } }) { _ in
                let never = AsyncStream<Void> { _ in }
                for await _ in never {}
                notes.add("cancelled")
            }
        } test: { wire in
            wire.send(Self.get)
            _ = wire.received()
            wire.pass(.zero)
            _ = wire.received()
            wire.pass(.seconds(1))
            #expect(wire.received() == (seconds == nil ? "" : Self.heartbeat))
            // Without heartbeats the limit of all streams counts.
            wire.sendEnd()
            #expect(wire.received() == (seconds == nil ? "" : Self.heartbeat))
            wire.pass(.zero)
            wire.pass(.seconds(4))
            #expect(wire.isClosed == (seconds == nil))
            #expect(notes.lines == (seconds == nil ? ["cancelled"] : []))
        }
    }

    @Test(
        "A client that closes its side is sent a comment at once and another at the next tick, then as before"
    )
    func probes() throws {
        try withWire { _ in
            Self.silent(Notes())
        } test: { wire in
            wire.send(Self.get)
            _ = wire.received()
            wire.pass(.seconds(5))
            wire.sendEnd()
            #expect(wire.received() == Self.heartbeat)
            wire.pass(.milliseconds(500))
            #expect(wire.received() == Self.heartbeat)
            wire.pass(.milliseconds(500))
            for _ in 0..<3 {
                wire.pass(.seconds(14))
                #expect(wire.received().isEmpty)
                wire.pass(.seconds(1))
                #expect(wire.received() == Self.heartbeat)
                wire.pass(.milliseconds(500))
            }
            #expect(!wire.isClosed, "a client that still reads is served")
        }
    }

    @Test("A client that had closed its side before the stream began is asked, too")
    func probeAtBeginning() throws {
        let gate = Gate()
        try withWire { _ in
            await gate.pass()
            return Self.silent(Notes())
        } test: { wire in
            wire.send(Self.get)
            wire.sendEnd()
            #expect(wire.received().isEmpty)
            gate.open()
            wire.settle()
            #expect(content(wire.received()) == Self.heartbeat)
        }
    }

    @Test("No comment gets in the way of a client that does not read")
    func unread() throws {
        try withWire { _ in
            .events { events in
                try await events.send(ServerSentEvent(data: String(repeating: "x", count: 400_000)))
                let never = AsyncStream<Void> { _ in }
                for await _ in never {}
            }
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get)
            wire.sendEnd()
            let waiting = wire.transport.waiting
            for _ in 0..<3 { wire.pass(.seconds(1)) }
            #expect(wire.transport.waiting == waiting)
            wire.drain(within: .seconds(20))
            wire.resumeTaking()
            #expect(wire.received().hasSuffix("x\n\n\r\n0\r\n\r\n"))
            #expect(wire.isClosed)
        }
    }

    @Test("A stream that begins while the server drains ends at once, as a whole response")
    func beginsWhileDraining() throws {
        let notes = Notes()
        let gate = Gate()
        try withWire { _ in
            await gate.pass()
            return Self.silent(notes)
        } test: { wire in
            wire.send(Self.get)
            wire.drain(within: .seconds(20))
            gate.open()
            wire.settle()
            let answer = wire.received()
            #expect(statuses(answer) == [200])
            #expect(content(answer) == "0\r\n\r\n")
            #expect(wire.isEnded)
            #expect(notes.lines.isEmpty)
        }
    }

    @Test("A drain ends a stream to HTTP/1.0 with the connection")
    func drainOfHTTP10() throws {
        let notes = Notes()
        try withWire { _ in
            Self.silent(notes)
        } test: { wire in
            #expect(wire.exchange("GET / HTTP/1.0\r\n\r\n").hasSuffix("\r\n\r\n"))
            wire.drain(within: .seconds(20))
            #expect(wire.received().isEmpty && wire.isEnded)
            #expect(notes.lines == ["cancelled"])
        }
    }

    @Test(
        "A handler that goes on behind the drain writes nothing more, and its requests behind are not served")
    func goesOn() throws {
        let notes = Notes()
        try withWire { request in
            notes.add(request.path)
            return .events { events in
                let never = AsyncStream<Void> { _ in }
                for await _ in never {}
                do { try await events.send(ServerSentEvent(data: "x")) } catch {
                    notes.add("\(type(of: error))")
                }
            }
        } test: { wire in
            wire.send(Self.get + "GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
            wire.drain(within: .seconds(20))
            #expect(content(wire.received()) == "0\r\n\r\n")
            #expect(notes.lines == ["/", "CancellationError"])
        }
    }
}
