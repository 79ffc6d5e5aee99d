import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite struct ClosingTests {
    @Test("RFC 6455 §7.1.2: when the closure returns, the socket closes with 1000, and the reply ends it")
    func closureReturns() throws {
        let harness = try ConnectionHarness()
        harness.serve { _ in }
        #expect(try harness.sent() == closeFrame(1000, key: nil))
        try harness.receive(closeFrame(1000))
        #expect(harness.connection.closeReason?.code == .normal)
        #expect(harness.connection.closeReason?.initiator == .local)
        harness.endInput()
        #expect(!harness.channel.isActive)
        #expect(harness.connection.application.socket == nil)
        #expect(harness.connection.sockets.statistics.sockets == 0 && harness.loop.memberCount == 0)
    }

    @Test(
        "RFC 6455 §1.4: messages still on their way do not delay the close after a closure returns",
        arguments: [0, 1, 40])
    func closureReturnsEarly(_ more: Int) throws {
        let harness = try ConnectionHarness()
        harness.serve { socket in _ = try await socket.texts.first { _ in true } }
        try harness.receive(frame(0x81, "first"))
        #expect(try harness.sent() == closeFrame(1000, key: nil))
        for _ in 0..<more { try harness.receive(frame(0x81, "late")) }
        try harness.receive(closeFrame(1000))
        #expect(harness.connection.closeReason?.isClean == true)
        harness.endInput()
        #expect(!harness.channel.isActive)
    }

    @Test("a closure that throws closes with 1011")
    func closureThrows() throws {
        struct Failure: Error {}
        let harness = try ConnectionHarness()
        harness.serve { _ in throw Failure() }
        #expect(try harness.sent() == closeFrame(1011, key: nil))
    }

    @Test(
        "RFC 6455 §5.5.1: the reply to a peer's close repeats its code; reader, sender and pinger see the end"
    )
    func peerCloses() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.serve { socket in
            async let reading: Void = {
                for try await _ in socket.messages {}
                journal.note("read to the end: \(await socket.closeReason?.code.rawValue ?? 0)")
            }()
            do { _ = try await socket.ping() } catch is WebSocketClosed { journal.note("no pong") }
            try await reading
        }
        _ = try harness.sent()
        try harness.receive(closeFrame(4000))
        #expect(try harness.sent() == closeFrame(4000, key: nil))
        #expect(Set(journal.all) == ["no pong", "read to the end: 4000"])
    }

    @Test("close frames that cross: both ends accept that, and nothing is sent twice")
    func crossing() throws {
        let harness = try ConnectionHarness()
        let socket = harness.open()
        try socket.beginClose(.goingAway)
        socket.beginClose()
        #expect(try harness.sent() == closeFrame(1001, key: nil))
        try harness.receive(closeFrame(1000))
        #expect(try harness.sent().isEmpty)
        #expect(harness.connection.isClosed)
    }

    @Test("a close frame without a reply ends after the close timeout, also after messages that nobody reads")
    func closeTimeout() throws {
        let harness = try ConnectionHarness { $0.maxQueuedMessages = 1 }
        let socket = harness.open()
        try harness.receive(frame(0x81, "one") + frame(0x81, "two"))
        try socket.beginClose(.goingAway)
        harness.run()
        harness.tick(after: .seconds(4))
        #expect(harness.channel.isActive)
        harness.tick(after: .seconds(6))
        #expect(!harness.channel.isActive)
        #expect(harness.connection.closeReason == .lost(.closeTimeout))
    }

    @Test("messages and a close frame sent before the peer disconnected are read, however full the inbox is")
    func endBehindFullInbox() throws {
        let harness = try ConnectionHarness { $0.maxQueuedMessages = 2 }
        let journal = Journal()
        let socket = harness.open()
        try harness.receive((0..<9).flatMap { frame(0x81, "\($0)") } + closeFrame(1000))
        harness.endInput()
        #expect(harness.connection.closeReason == nil)
        harness.loop.turn {
            harness.connection.run {
                for try await text in socket.texts { journal.note(text) }
            }
        }
        harness.run()
        #expect(journal.all == (0..<9).map(String.init))
        #expect(harness.connection.closeReason?.isClean == true)
        #expect(!harness.channel.isActive)
    }

    @Test("when the peer disconnects, all waiting tasks are resumed")
    func vanishes() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.setWritable(false)
        harness.serve { socket in
            async let sending: Void = {
                do { try await socket.send("x") } catch let error as WebSocketClosed {
                    journal.note("send: \(error.reason?.code.rawValue ?? 0)")
                }
            }()
            for try await _ in socket.messages {}
            journal.note("end")
            try await sending
        }
        harness.channel.pipeline.fireChannelInactive()
        harness.run()
        #expect(Set(journal.all) == ["send: 1006", "end"])
    }

    @Test("a violation is reported to the peer and to the callbacks, once")
    func violation() throws {
        let journal = Journal()
        let harness = try ConnectionHarness(consumer: .callbacks(Callbacks(journal: journal)))
        _ = harness.open()
        try harness.receive(frame(0x83, "reserved"))
        let bytes = try harness.sent()
        #expect(bytes.first == 0x88)
        #expect(bytes.dropFirst(2).prefix(2) == [0x03, 0xEA])
        #expect(journal.all == ["error", "close 1002"])
        harness.channel.pipeline.fireChannelInactive()
        #expect(journal.all.count == 2)
    }

    @Test("RFC 6455 §7.1.1: the reply to our close frame does not wait behind a message that was read")
    func closeIsNotDeferred() throws {
        let harness = try ConnectionHarness()
        harness.serve { socket in for try await _ in socket.messages { break } }
        try harness.receive(frame(0x81, "last"))
        #expect(try harness.sent() == closeFrame(1000, key: nil))
        try harness.receive(frame(0x81, "too late") + closeFrame(1000))
        #expect(harness.connection.closeReason?.isClean == true)
    }

    @Test("a pong does not wait behind the message whose reader sent the ping")
    func pongIsNotDeferred() throws {
        let harness = try ConnectionHarness()
        let journal = Journal()
        harness.serve { socket in
            for try await _ in socket.messages {
                _ = try await socket.ping()
                journal.note("pong")
            }
        }
        try harness.receive(frame(0x81, "ask"))
        let ping = try #require(harness.connection.rareState?.pings.first).payload
        try harness.receive(frame(0x8A, Array(ping.readableBytesView)))
        #expect(journal.all == ["pong"])
    }

    @Test(
        "a connection that the peer leaves open is closed at the drain deadline, whatever the close timeout is"
    )
    func drainDeadline() throws {
        let harness = try ConnectionHarness { $0.closeTimeout = .seconds(60) }
        harness.serve { socket in for try await _ in socket.messages {} }
        harness.loop.drain(deadline: harness.began.advanced(by: .seconds(2)))
        _ = try harness.sent()
        harness.tick(after: .seconds(1))
        #expect(harness.channel.isActive)
        harness.tick(after: .seconds(3))
        #expect(!harness.channel.isActive)
        #expect(harness.connection.closeReason == .lost(.closeTimeout))
    }

    @Test("drain closes with 1001")
    func drain() throws {
        let harness = try ConnectionHarness()
        harness.serve { socket in for try await _ in socket.messages {} }
        harness.loop.drain(deadline: harness.began.advanced(by: .seconds(10)))
        #expect(try harness.sent().prefix(4).suffix(2) == [0x03, 0xE9])
    }
}
