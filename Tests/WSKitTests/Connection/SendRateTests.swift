import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite("The least rate at which peers take messages")
struct SendRateTests {
    private static func text(_ count: Int) -> Message { Message(text: String(repeating: "x", count: count)) }

    @Test("a peer that takes an octet now and then is closed, and the sender that waits for it is told")
    func dripping() throws {
        let harness = try ConnectionHarness()
        let peer = try SlowPeer(of: harness)
        let journal = Journal()
        let socket = harness.open()
        #expect(socket.trySend(Self.text(300_000)) == .sent)
        harness.setWritable(false)
        harness.loop.turn {
            harness.connection.run {
                do { try await socket.send("waits") } catch is WebSocketClosed { journal.note("told") }
            }
        }
        // 300,000 octets take 1,250 s at 240 a second, and 30 s are given.
        let end = harness.end(within: 2_000) { second in
            if second % 29 == 28 { peer.take(1) }
        }
        #expect(end.map { 1_279...1_282 ~= $0 } == true)
        #expect(harness.connection.closeReason == .lost(.sendTimeout))
        #expect(journal.all == ["told"])
    }

    @Test("a peer that takes messages at that rate is not, in bursts or not", arguments: [1, 20, 200])
    func steady(burst: Int) throws {
        let harness = try ConnectionHarness()
        let peer = try SlowPeer(of: harness)
        let socket = harness.open()
        #expect(socket.trySend(Self.text(100_000)) == .sent)
        let end = try harness.end(within: 3_600) { second in
            if second % burst == 0 {
                peer.take(300 * burst)
                _ = socket.trySend(Self.text(290 * burst))
            }
            try harness.hear(at: second)
        }
        #expect(end == nil)
    }

    @Test("little that waits counts too, though the peer sends all the time and the buffer has room")
    func little() throws {
        let harness = try ConnectionHarness { $0.pingInterval = nil }
        _ = try SlowPeer(of: harness)
        #expect(harness.open().trySend(Self.text(2_400)) == .sent)
        let end = try harness.end(within: 100) { try harness.hear(at: $0) }
        #expect(end.map { 40...41 ~= $0 } == true, "10 s for the octets, 30 s beyond")
    }

    @Test("time in which nothing waits does not count, and an idle socket keeps nothing for it")
    func idle() throws {
        let harness = try ConnectionHarness { $0.pingInterval = nil }
        let peer = try SlowPeer(of: harness)
        let socket = harness.open()
        peer.takesAll = true
        for second in 0..<200 {
            if second % 20 == 0 { #expect(socket.trySend(Self.text(5_000)) == .sent) }
            harness.run()
            harness.tick(after: .seconds(second))
        }
        #expect(harness.connection.known == nil)
        peer.takesAll = false
        // What waits now and then, and is taken in time, has its time anew each time.
        for second in 200..<400 {
            if second % 20 == 0 {
                #expect(socket.trySend(Self.text(2_400)) == .sent)
            } else if second % 20 == 19 {
                peer.take(.max)
            }
            harness.tick(after: .seconds(second))
        }
        #expect(harness.channel.isActive && harness.connection.known?.pace == nil)
    }

    @Test("the rate and the time beyond are limits like others, and 0 is no bound")
    func limits() throws {
        func end(rate: Int, grace: Int) throws -> Int? {
            let harness = try ConnectionHarness {
                $0.pingInterval = nil
                $0.minSendRate = rate
                $0.sendRateGracePeriod = .seconds(grace)
            }
            _ = try SlowPeer(of: harness)
            #expect(harness.open().trySend(Self.text(10_000)) == .sent)
            return harness.end(within: 1_000) { _ in }
        }
        #expect(try end(rate: 0, grace: 0) == nil)
        #expect(try end(rate: 100, grace: 7).map { 107...108 ~= $0 } == true)
    }
}

extension ConnectionHarness {
    /// Lets the seconds pass, one tick each; when the connection has been closed.
    fileprivate func end(within seconds: Int, _ body: (_ second: Int) throws -> Void) rethrows -> Int? {
        for second in 0..<seconds {
            try body(second)
            tick(after: .seconds(second))
            if !channel.isActive { return second }
        }
        return nil
    }

    /// The peer is there, every ten seconds.
    fileprivate func hear(at second: Int) throws {
        if second % 10 == 0 { try receive(frame(0x8A, [])) }
    }
}

/// Stands for a transport whose peer takes what the test says.
private final class SlowPeer: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData
    var takesAll = false
    private var waiting = 0
    private var context: ChannelHandlerContext?
    private let channel: EmbeddedChannel

    init(of harness: ConnectionHarness) throws {
        channel = harness.channel
        try channel.pipeline.syncOperations.addHandler(self, position: .first)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        waiting += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        if takesAll { take(.max) }
    }

    /// Takes so much of what waits: all of it goes, and the rest is put back.
    func take(_ octets: Int) {
        guard let context else { return }
        context.flush()
        while (try? channel.readOutbound(as: IOData.self)) != nil {}
        waiting -= min(octets, waiting)
        guard waiting > 0 else { return }
        context.write(wrapOutboundOut(.byteBuffer(ByteBuffer(repeating: 0, count: waiting))), promise: nil)
    }
}
