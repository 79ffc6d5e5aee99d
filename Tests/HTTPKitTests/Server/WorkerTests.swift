import NIOCore
import Testing

@testable import HTTPKit

@Suite("Workers: one task serves the requests of many connections")
struct WorkerTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @TaskLocal private static var value = 0

    @Test("A request sees nothing of the test's task, nor of the request before it")
    func nothingPassesOn() throws {
        let notes = Notes()
        try Self.$value.withValue(1) {
            try withWire { _ in
                notes.add("\(Self.value) \(Task.isCancelled)")
                return Self.$value.withValue(2) { .text("\(Self.value)") }
            } test: { wire in
                #expect(content(wire.exchange(Self.get)) == "2")
                #expect(content(wire.exchange(Self.get)) == "2")
            }
        }
        #expect(notes.lines == ["0 false", "0 false"])
    }

    @Test("A handler that cancels its own task cancels no other request")
    func cancelledByItself() throws {
        let notes = Notes()
        try withWire { request in
            notes.add("\(Task.isCancelled)")
            if request.path == "/cancel" { withUnsafeCurrentTask { $0?.cancel() } }
            return .text("x")
        } test: { wire in
            #expect(statuses(wire.exchange("GET /cancel HTTP/1.1\r\nHost: h\r\n\r\n")) == [200])
            #expect(statuses(wire.exchange(Self.get)) == [200])
        }
        #expect(notes.lines == ["false", "false"])
    }

    @Test("A handler that cancels its own task does not cancel a request behind it on the same connection")
    func cancelledByItselfWhilePipelined() throws {
        let notes = Notes()
        try withWire { request in
            notes.add("\(Task.isCancelled)")
            if request.path == "/cancel" { withUnsafeCurrentTask { $0?.cancel() } }
            return .text("x")
        } test: { wire in
            let cancel = "GET /cancel HTTP/1.1\r\nHost: h\r\n\r\n"
            // The first request of a worker runs before its task is known.
            for _ in 0..<2 {
                #expect(statuses(wire.exchange(cancel + Self.get + cancel + cancel + Self.get)).count == 5)
                #expect(statuses(wire.exchange(Self.get)) == [200])
            }
        }
        #expect(notes.lines == Array(repeating: "false", count: 12))
    }

    @Test("A connection that breaks in the midst of a new worker's first request cancels the handler")
    func cancelledAtOnce() throws {
        let notes = Notes()
        try withWire { request in
            notes.add("begun: \(Task.isCancelled)")
            if let exchange = request.exchange { exchange.carrier?.breakOff(exchange) }
            let never = AsyncStream<Void> { _ in }
            for await _ in never {}
            notes.add("cancelled: \(Task.isCancelled)")
            return .text("x")
        } test: { wire in
            wire.send(Self.get)
            #expect(wire.isClosed)
        }
        #expect(notes.lines == ["begun: false", "cancelled: true"])
    }

    @Test("One worker serves one request after another")
    func usedAgain() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            var workers: Set<ObjectIdentifier> = []
            for _ in 0..<3 {
                #expect(statuses(wire.exchange(Self.get + Self.get)) == [200, 200])
                let worker = WorkerPool.of(wire.loop).take()
                #expect(worker.isParked)
                workers.insert(ObjectIdentifier(worker))
                #expect(WorkerPool.of(wire.loop).park(worker))
            }
            #expect(workers.count == 1)
        }
    }

    @Test("The client that goes cancels its own handler, not the next one of the worker")
    func clientGoes() throws {
        let notes = Notes()
        let gate = Gate()
        try withWire { request in
            guard request.path == "/wait" else { return .text("\(Task.isCancelled)") }
            await gate.pass()
            notes.add("cancelled: \(Task.isCancelled)")
            return .text("x")
        } test: { wire in
            #expect(statuses(wire.exchange(Self.get)) == [200])
            wire.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(gate.arrivals == 1)
            wire.hangUp()
            gate.open()
            wire.settle()
        }
        #expect(notes.lines == ["cancelled: true"])
    }

    @Test("Behind the last connection of a loop no worker stays")
    func noneStays() throws {
        weak var loop: LoopContext?
        weak var worker: Worker?
        try withWire { _ in
            .text("x")
        } test: { wire in
            loop = wire.loop
            #expect(statuses(wire.exchange(Self.get)) == [200])
            let parked = WorkerPool.of(wire.loop).take()
            worker = parked
            #expect(parked.isParked)
            #expect(WorkerPool.of(wire.loop).park(parked))
        }
        #expect(worker == nil)
        #expect(loop == nil)
    }
}
