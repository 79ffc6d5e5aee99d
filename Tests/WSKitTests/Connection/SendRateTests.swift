import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite("The minimum rate at which peers read messages")
struct SendRateTests {
    private static func text(_ count: Int) -> Message { Message(text: String(repeating: "x", count: count)) }

    @Test("a peer that reads a byte now and then is disconnected, and the waiting sender gets an error")
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
        // 300,000 bytes take 1,250 s at 240 bytes per second, plus the grace period of 30 s.
        let end = harness.end(within: 2_000) { second in
            if second % 29 == 28 { peer.take(1) }
        }
        #expect(end.map { 1_279...1_282 ~= $0 } == true)
        #expect(harness.connection.closeReason == .lost(.sendTimeout))
        #expect(journal.all == ["told"])
    }

    @Test(
        "a peer that reads at the minimum rate stays connected, with or without bursts",
        arguments: [1, 20, 200])
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
            try harness.receivePing(at: second)
        }
        #expect(end == nil)
    }

    @Test("a few unsent bytes are measured too, even if the peer sends all the time and the buffer has room")
    func little() throws {
        let harness = try ConnectionHarness { $0.pingInterval = nil }
        _ = try SlowPeer(of: harness)
        #expect(harness.open().trySend(Self.text(2_400)) == .sent)
        let end = try harness.end(within: 100) { try harness.receivePing(at: $0) }
        #expect(end.map { 40...41 ~= $0 } == true, "10 s for the bytes plus 30 s grace period")
    }

    @Test("time without unsent bytes is not counted, and an idle socket needs no state for it")
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
        #expect(harness.connection.rareState == nil && !harness.connection.transport.isWatchingPeer)
        peer.takesAll = false
        // Unsent bytes that are read in time get the full time again each time.
        for second in 200..<400 {
            if second % 20 == 0 {
                #expect(socket.trySend(Self.text(2_400)) == .sent)
            } else if second % 20 == 19 {
                peer.take(.max)
            }
            harness.tick(after: .seconds(second))
        }
        #expect(harness.channel.isActive && !harness.connection.transport.isWatchingPeer)
    }

    @Test("the rate and the grace period can be set, and a rate of 0 disables the limit")
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
    /// Lets the seconds pass, one tick each. Returns when the connection was closed.
    fileprivate func end(within seconds: Int, _ body: (_ second: Int) throws -> Void) rethrows -> Int? {
        for second in 0..<seconds {
            try body(second)
            tick(after: .seconds(second))
            if !channel.isActive { return second }
        }
        return nil
    }

    /// Receives a ping from the peer every ten seconds.
    fileprivate func receivePing(at second: Int) throws {
        if second % 10 == 0 { try receive(frame(0x8A, [])) }
    }
}

/// A transport whose peer reads as much as the test says.
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

    /// Reads that many of the unsent bytes: completes the writes, and puts the rest back.
    func take(_ bytes: Int) {
        guard let context else { return }
        context.flush()
        while (try? channel.readOutbound(as: IOData.self)) != nil {}
        waiting -= min(bytes, waiting)
        guard waiting > 0 else { return }
        context.write(wrapOutboundOut(.byteBuffer(ByteBuffer(repeating: 0, count: waiting))), promise: nil)
    }
}
