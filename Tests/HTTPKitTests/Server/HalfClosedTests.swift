import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9112 §9.6: a client that has closed its side while its request is served")
struct HalfClosedTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    /// Waits until the task is cancelled, and notes how it ended.
    private static func waitForCancellation(_ notes: Notes) async {
        let never = AsyncStream<Void> { _ in }
        for await _ in never {}
        notes.add(Task.isCancelled ? "cancelled" : "ended")
    }

    @Test("A handler that has not responded is cancelled at the limit, and the connection closes")
    func noResponse() throws {
        let notes = Notes()
        try withWire { _ in
            await Self.waitForCancellation(notes)
            return .text("x")
        } test: { wire in
            wire.send(Self.get)
            wire.pass(.seconds(60))
            wire.sendEnd()
            wire.pass(.zero)
            #expect(!wire.isClosed)
            wire.pass(.seconds(9))
            #expect(!wire.isClosed && notes.lines.isEmpty)
            wire.pass(.seconds(2))
            #expect(wire.isClosed)
            #expect(notes.lines == ["cancelled"])
        }
    }

    @Test("A stream that is silent behind its head is cancelled within 5 s")
    func silentStream() throws {
        let notes = Notes()
        try withWire { _ in
            .stream { writer in
                try await writer.write("x")
                await Self.waitForCancellation(notes)
            }
        } test: { wire in
            wire.send(Self.get)
            #expect(wire.received().has("x"))
            wire.pass(.seconds(60))
            #expect(!wire.isClosed)
            wire.sendEnd()
            wire.pass(.zero)
            #expect(!wire.isClosed)
            wire.pass(.milliseconds(4900))
            #expect(wire.isClosed)
            #expect(notes.lines == ["cancelled"])
        }
    }

    @Test("A stream that goes on writing is sent to its end")
    func writingStream() throws {
        let gate = Gate()
        try withWire { _ in
            .stream { writer in
                for number in 0..<5 {
                    await gate.pass()
                    try await writer.write("\(number);")
                }
            }
        } test: { wire in
            wire.send(Self.get)
            wire.sendEnd()
            for _ in 0..<5 {
                wire.pass(.seconds(3))
                gate.open()
                wire.settle()
            }
            let text = wire.received()
            for number in 0..<5 { #expect(text.has("\(number);")) }
            #expect(text.hasSuffix("0\r\n\r\n"))
            #expect(wire.isClosed)
        }
    }

    @Test("A writer that waits for a client that reads slowly is not silent")
    func slowReader() throws {
        try withWire { _ in
            .stream { writer in
                for _ in 0..<2 { try await writer.write(ByteBuffer(repeating: 0x78, count: 300_000)) }
                try await writer.write("end")
            }
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get)
            wire.sendEnd()
            wire.pass(.seconds(6))
            #expect(!wire.isClosed)
            wire.resumeTaking()
            #expect(wire.received().has("end"))
            #expect(wire.isClosed)
        }
    }

    @Test("Each of several requests has the limit for itself")
    func pipelined() throws {
        let gate = Gate()
        try withWire { request in
            await gate.pass()
            return .text(request.path)
        } test: { wire in
            wire.send(Self.get + Self.get + Self.get)
            wire.sendEnd()
            for _ in 0..<2 {
                wire.pass(.zero)
                wire.pass(.seconds(8))
                gate.open()
                wire.settle()
            }
            #expect(statuses(wire.received()) == [200, 200])
            wire.pass(.zero)
            wire.pass(.seconds(11))
            #expect(wire.isClosed)
            gate.open()
        }
    }
}
