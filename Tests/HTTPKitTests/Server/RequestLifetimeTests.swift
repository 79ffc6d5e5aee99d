import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("What a handler learns about its client and its server")
struct RequestLifetimeTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"

    /// How a connection ends.
    enum Ending: CaseIterable, Sendable { case clientHangsUp, clientClosesItsSide, drainTimeIsOver }

    @Test(
        "onDisconnect is called once when the connection ends, and then the handler is cancelled",
        arguments: Ending.allCases)
    func disconnect(_ ending: Ending) throws {
        let notes = Notes()
        try withWire { request in
            request.onDisconnect { notes.add("gone \(request.eventLoop.inEventLoop)") }
            return .stream { writer in
                request.onDisconnect { notes.add("gone, too") }
                try await writer.flush()
                let never = AsyncStream<Void> { _ in }
                for await _ in never {}
                notes.add("cancelled \(Task.isCancelled)")
            }
        } test: { wire in
            wire.send(Self.get)
            switch ending {
            case .clientHangsUp: wire.hangUp()
            case .clientClosesItsSide:
                wire.sendEnd()
                wire.pass(.zero)
                #expect(notes.lines.isEmpty)
                wire.pass(.seconds(4))
            case .drainTimeIsOver:
                wire.drain(within: .seconds(1))
                #expect(notes.lines.isEmpty)
                wire.pass(.seconds(2))
            }
            #expect(wire.isClosed)
            #expect(notes.lines == ["gone true", "gone, too", "cancelled true"])
        }
        #expect(notes.lines.count == 3)
    }

    @Test("onDisconnect is not called when the response is complete, whatever comes behind it")
    func complete() throws {
        let notes = Notes()
        try withWire { request in
            request.onDisconnect { notes.add(request.path) }
            return request.path == "/stream" ? .stream { try await $0.write("x") } : .text("x")
        } test: { wire in
            _ = wire.exchange(Self.get)
            _ = wire.exchange("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = wire.exchange(Self.post)
            wire.hangUp()
        }
        #expect(notes.lines.isEmpty)
    }

    @Test("onDisconnect is called at once when the client has gone already")
    func alreadyGone() throws {
        let notes = Notes()
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            request.onDisconnect { notes.add("gone") }
            return .text("x")
        } test: { wire in
            wire.send(Self.get)
            wire.hangUp()
            gate.open()
            wire.settle()
            #expect(notes.lines == ["gone"])
        }
    }

    @Test("A late call belongs to no later request")
    func late() throws {
        let notes = Notes()
        let first = KeptRequest()
        try withWire { request in
            first.keep(request)
            return .text("x")
        } test: { wire in
            _ = wire.exchange(Self.get)
            first.request?.onDisconnect { notes.add("gone") }
            first.request?.onDrain { notes.add("drain") }
            let gate = Gate()
            defer { gate.open() }
            wire.send(Self.post)
            wire.drain(within: .seconds(20))
            wire.hangUp()
        }
        #expect(notes.lines.isEmpty)
    }

    @Test("onDrain is called once when the drain begins, at once behind that, and never behind the response")
    func drain() throws {
        let notes = Notes()
        let gate = Gate()
        try withWire { request in
            request.onDrain { notes.add("drain") }
            guard request.path == "/wait" else { return .text("x") }
            notes.add("\(request.isDraining)")
            await gate.pass()
            notes.add("\(request.isDraining)")
            request.onDrain { notes.add("drain already") }
            return .text("x")
        } test: { wire in
            _ = wire.exchange(Self.get)
            wire.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            wire.drain(within: .seconds(20))
            #expect(notes.lines == ["false", "drain"])
            gate.open()
            wire.settle()
            #expect(wire.received().has("\r\nConnection: close\r\n"))
        }
        #expect(notes.lines == ["false", "drain", "true", "drain already"])
    }

    @Test("A long poll that waits for the drain ends with it")
    func waitForDrain() throws {
        try withWire { request in
            try await request.waitForDrain()
            return .text("come again")
        } test: { wire in
            #expect(wire.exchange(Self.get).isEmpty)
            wire.drain(within: .seconds(20))
            #expect(content(wire.received()) == "come again")
            #expect(wire.isEnded)
        }
    }

    @Test("A wait for the drain ends with its task and with its request")
    func endOfWait() throws {
        let notes = Notes()
        try withWire { request in
            let waiting = Task(executorPreference: request.connection.loop) {
                do { try await request.waitForDrain() } catch { notes.add("\(type(of: error))") }
            }
            if request.path == "/cancel" {
                waiting.cancel()
                await waiting.value
            }
            return .text("x")
        } test: { wire in
            #expect(content(wire.exchange("GET /cancel HTTP/1.1\r\nHost: h\r\n\r\n")) == "x")
            #expect(notes.lines.count == 1)
            #expect(content(wire.exchange(Self.get)) == "x")
            #expect(notes.lines.count == 2)
        }
        #expect(notes.lines.allSatisfy { $0 == "CancellationError" })
    }

    @Test("RFC 9110 §6.5: trailers that are set behind the response are not those of the next one")
    func lateTrailers() throws {
        let writer = KeptWriter()
        try withWire { _ in
            .stream {
                writer.keep($0)
                try await $0.write("x")
            }
        } test: { wire in
            _ = wire.exchange(Self.get)
            writer.writer?.setTrailers([.eTag: "late"])
            #expect(!wire.exchange(Self.get).has("late"))
        }
    }

    @Test("flush sends the head, and what was written, before the handler waits")
    func flush() throws {
        let gate = Gate()
        try withWire { _ in
            .stream(length: 2) { writer in
                try await writer.flush()
                await gate.pass()
                try await writer.write("a")
                try await writer.flush()
                try await writer.write("b")
            }
        } test: { wire in
            let head = wire.exchange(Self.get)
            #expect(statuses(head) == [200] && head.hasSuffix("\r\n\r\n"))
            let flushes = wire.transport.flushes
            gate.open()
            wire.settle()
            #expect(wire.received() == "ab")
            #expect(wire.transport.flushes - flushes == 2)
        }
    }

    @Test("An error behind a flush breaks the response off, one before it is an ordinary response")
    func failure() throws {
        struct Oops: Error {}
        try withWire { request in
            .stream { writer in
                if request.path == "/flush" { try await writer.flush() }
                throw Oops()
            }
        } test: { wire in
            #expect(statuses(wire.exchange(Self.get)) == [500])
            #expect(statuses(wire.exchange("GET /flush HTTP/1.1\r\nHost: h\r\n\r\n")) == [200])
            #expect(wire.isClosed)
        }
    }
}

/// A request that outlives its handler. It is used on one thread only.
private final class KeptRequest: @unchecked Sendable {
    private(set) var request: Request?
    func keep(_ request: Request) { self.request = request }
}

/// A writer that outlives its handler. It is used on one thread only.
private final class KeptWriter: @unchecked Sendable {
    private(set) var writer: ResponseWriter?
    func keep(_ writer: ResponseWriter) { self.writer = writer }
}
