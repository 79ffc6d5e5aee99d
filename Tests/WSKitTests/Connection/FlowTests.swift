import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite struct FlowTests {
    @Test("the inbox is bounded in messages and bytes; a message larger than the bound gets through")
    func inboxBound() throws {
        let harness = try ConnectionHarness {
            $0.maxQueuedMessages = 100
            $0.maxQueuedBytes = 10
        }
        let socket = harness.open()
        let large = [UInt8](repeating: 0x61, count: 1000)
        try harness.receive(frame(0x81, large) + frame(0x81, "next"))
        #expect(harness.connection.input.buffer.readableBytes > 0, "the second message waits")
        let journal = Journal()
        harness.loop.turn {
            harness.connection.run {
                for try await text in socket.texts { journal.note("\(text.utf8.count)") }
            }
        }
        harness.run()
        #expect(journal.all == ["1000", "4"])
        #expect(harness.connection.input.buffer.capacity == 0, "an idle socket holds no read buffer")
    }

    @Test("a cancelled reader throws, and no message is lost by it")
    func cancelledReader() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.serve { socket in
            let reader = Task {
                do { _ = try await socket.parts.first { _ in true } } catch is CancellationError {
                    journal.note("cancelled")
                }
            }
            for _ in 0..<3 { await Task.yield() }
            reader.cancel()
            try await reader.value
            for try await text in socket.texts { journal.note(text) }
        }
        harness.waitFor { !journal.all.isEmpty }
        try harness.receive(frame(0x81, "after"))
        // The closure may not have resumed yet after the reader, which ended on another thread.
        harness.waitFor { journal.all.count == 2 }
        #expect(journal.all == ["cancelled", "after"])
    }

    @Test("two readers: the second gets an error")
    func twoReaders() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.serve { socket in
            async let first: Void = { for try await text in socket.texts { journal.note(text) } }()
            await Task.yield()
            do { for try await _ in socket.messages {} } catch is ConcurrentReadError {
                journal.note("second")
            }
            try await first
        }
        try harness.receive(frame(0x81, "one"))
        #expect(Set(journal.all).isSuperset(of: ["second"]))
    }

    @Test(
        "a full send buffer: send waits, trySend is not accepted, pings get one pong, and then all continue"
    )
    func fullBuffer() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.setWritable(false)
        let socket = harness.serve { socket in
            try await socket.send("waited")
            journal.note("sent")
            for try await _ in socket.messages {}
        }
        #expect(socket.trySend(Message(text: "no")) == .full)
        try harness.receive((0..<50).flatMap { frame(0x89, "\($0)") })
        #expect(journal.all.isEmpty)
        #expect(try harness.sent().isEmpty, "nothing accumulates for a peer that does not read")
        harness.setWritable(true)
        #expect(try harness.sent() == frame(0x8A, "49", key: nil) + frame(0x81, "waited", key: nil))
        #expect(journal.all == ["sent"])
    }

    @Test("callbacks: while the buffer is full no message is delivered, then onDrain and the rest")
    func callbacksPause() throws {
        let journal = Journal()
        let harness = try ConnectionHarness(consumer: .callbacks(Callbacks(journal: journal)))
        _ = harness.open()
        harness.setWritable(false)
        try harness.receive(frame(0x81, "a") + frame(0x81, "b"))
        #expect(journal.all.isEmpty)
        harness.setWritable(true)
        #expect(journal.all == ["drain", "a", "b"])
        #expect(try harness.sent() == frame(0x81, "a", key: nil) + frame(0x81, "b", key: nil))
    }

    @Test(
        "a silent peer is pinged and given up, but not while this end holds back reads or the peer reads slowly"
    )
    func keepAlive() throws {
        let silent = try ConnectionHarness()
        _ = silent.open()
        silent.tick(after: .seconds(31))
        #expect(try silent.sent().first == 0x89)
        silent.tick(after: .seconds(52))
        #expect(silent.connection.closeReason == .lost(.pingTimeout))

        let held = try ConnectionHarness { $0.maxQueuedMessages = 1 }
        _ = held.open()
        try held.receive(frame(0x81, "one") + frame(0x81, "two"))
        for second in 0..<200 { held.tick(after: .seconds(second)) }
        #expect(held.channel.isActive)
        // It is pinged anyway: if the peer is lost, that makes the transport fail.
        #expect(try held.sent().chunks(of: 10).map(\.first) == [0x89, 0x89, 0x89, 0x89, 0x89, 0x89])

        let slow = try ConnectionHarness { $0.sendTimeout = .seconds(1000) }
        _ = slow.open()
        slow.setWritable(false)
        for second in 0..<200 { slow.tick(after: .seconds(second)) }
        #expect(slow.channel.isActive)
        #expect(try slow.sent().isEmpty, "nothing accumulates for a peer that does not read")
    }

    @Test("RFC 6455 §5.5.3: the pong of a later ping also completes the earlier ones")
    func latestPong() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.serve { socket in
            async let one = socket.ping()
            async let two = socket.ping()
            _ = try await (one, two)
            journal.note("both")
            for try await _ in socket.messages {}
        }
        harness.waitFor { harness.connection.rareState?.pings.count == 2 }
        let last = try #require(harness.connection.rareState?.pings.last).payload
        try harness.receive(frame(0x8A, Array(last.readableBytesView)))
        harness.waitFor { !journal.all.isEmpty }
        #expect(journal.all == ["both"])
    }

    @Test(
        "a stream is sent in fragments without published messages between; the newest missed one follows"
    )
    func stream() throws {
        let harness = try ConnectionHarness()
        let gate = AsyncStream.makeStream(of: Void.self)
        harness.serve { socket in
            try await socket.sendStream(.text) { writer in
                try await writer.write("a")
                for await _ in gate.stream { break }
                try await writer.write("b")
            }
            for try await _ in socket.messages {}
        }
        let room = ObjectIdentifier(harness.channel)
        for text in ["old", "new"] {
            harness.loop.turn {
                harness.connection.sendPublished(
                    PreparedMessage(Message(text: text)), policy: .latestOnly, room: room)
            }
        }
        gate.continuation.yield()
        gate.continuation.finish()
        harness.run()
        let parts = frame(0x01, "a", key: nil) + frame(0x00, "b", key: nil) + frame(0x80, "", key: nil)
        #expect(try harness.sent() == parts + frame(0x81, "new", key: nil))
        #expect(harness.connection.sockets.statistics.messagesDropped == 1)
    }

    @Test("a stream continues when its own flush makes room at once")
    func streamFindsRoom() throws {
        let harness = try ConnectionHarness()
        try harness.channel.pipeline.syncOperations.addHandler(RoomAtFlush(), position: .first)
        harness.serve { socket in
            try await socket.sendStream(.text) { writer in
                try await writer.write("a")
                // As a write above the water mark does, in the same turn.
                harness.channel.isWritable = false
                harness.channel.pipeline.fireChannelWritabilityChanged()
                try await writer.write("b")
            }
        }
        let parts = frame(0x01, "a", key: nil) + frame(0x00, "b", key: nil) + frame(0x80, "", key: nil)
        #expect(try harness.sent().starts(with: parts))
    }

    @Test("callbacks: onDrain is called at the end of a stream")
    func drainAfterStream() throws {
        let journal = Journal()
        let harness = try ConnectionHarness(consumer: .callbacks(Callbacks(journal: journal)))
        let socket = harness.open()
        harness.loop.turn {
            harness.connection.run {
                try await socket.sendStream(.text) { writer in
                    try await writer.write("a")
                    if socket.trySend(Message(text: "no")) == .full { journal.note("full") }
                }
                journal.note("whole")
            }
        }
        harness.run()
        #expect(journal.all.starts(with: ["full", "drain", "whole"]))
    }

    @Test(
        "a peer that has closed its side cannot reply to pings: it is given up when its messages are not read"
    )
    func halfClosed() throws {
        let harness = try ConnectionHarness { $0.maxQueuedMessages = 1 }
        _ = harness.open()
        try harness.receive(frame(0x81, "one") + frame(0x81, "two"))
        harness.endInput()
        for second in 0..<60 { harness.tick(after: .seconds(second)) }
        #expect(harness.connection.closeReason == .lost(.pingTimeout))
        #expect(!harness.channel.isActive)
    }

    @Test("bytes that other threads send are bounded")
    func gate() {
        let gate = SendGate()
        let limit = 10 + SendGate.overhead
        #expect(gate.reserve(6, limit: limit) == .sent && gate.reserve(6, limit: limit) == .sent)
        #expect(gate.reserve(1, limit: limit) == .full)
        gate.release(6)
        #expect(gate.reserve(1, limit: limit) == .sent)
        gate.isFull = true
        #expect(gate.reserve(1, limit: limit) == .full)
        gate.isFull = false
        gate.isClosed = true
        #expect(gate.reserve(1, limit: limit) == .closed)
    }

    @Test("empty messages that other threads send are bounded too")
    func gateCountsMessages() {
        let gate = SendGate()
        let taken = (0..<1000).count { _ in gate.reserve(0, limit: 10 * SendGate.overhead) == .sent }
        #expect(taken == 10)
    }

    @Test("context takeover sleeps after the idle time")
    func sleeps() throws {
        let harness = try ConnectionHarness(
            deflate: DeflateParameters(), mode: .contextTakeover())
        let socket = harness.open()
        #expect(socket.trySend(Message(text: String(repeating: "a", count: 500))) == .sent)
        #expect(harness.connection.machine.isAwake)
        harness.tick(after: .seconds(3))
        #expect(harness.connection.machine.isAwake)
        harness.tick(after: .seconds(7))
        #expect(!harness.connection.machine.isAwake)
    }
}

/// A transport that accepts everything when it is flushed.
private final class RoomAtFlush: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    func flush(context: ChannelHandlerContext) {
        context.flush()
        guard let channel = context.channel as? EmbeddedChannel, !channel.isWritable else { return }
        channel.isWritable = true
        context.pipeline.fireChannelWritabilityChanged()
    }
}

extension Array {
    /// Pieces of that many elements. The last one may be smaller.
    fileprivate func chunks(of size: Int) -> [ArraySlice<Element>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}

extension ConnectionHarness {
    /// Runs the loop until `condition` holds. Use it for tasks that begin on other threads, which may be busy with other
    /// tests for a long time. It gives up after five minutes.
    func waitFor(_ condition: () -> Bool) {
        let deadline = ContinuousClock.now.advanced(by: .seconds(300))
        while !condition(), ContinuousClock.now < deadline { run() }
    }
}
