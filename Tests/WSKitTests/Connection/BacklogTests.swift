import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite struct BacklogTests {
    @Test("small replies to a peer that does not read do not take one channel buffer each")
    func gathers() throws {
        let writes = WriteCounter()
        let harness = try ConnectionHarness(consumer: .callbacks(Callbacks(journal: Journal())))
        try harness.channel.pipeline.syncOperations.addHandler(writes, position: .first)
        _ = harness.open()
        writes.isBlocked = true
        for _ in 0..<5000 { try harness.receive(frame(0x81, "x")) }
        #expect(writes.count <= 40 && writes.bytes > 10_000, "the first 32 writes, and the coalesced ones")
        let room = ObjectIdentifier(harness.channel)
        for _ in 0..<5000 {
            harness.loop.turn {
                harness.connection.sendPublished(
                    PreparedMessage(Message(text: "y")), policy: .drop, room: room)
            }
        }
        #expect(writes.count <= 45)
        writes.unblock()
        harness.run()
        #expect(writes.bytes == 30_000)
        #expect(!harness.connection.transport.isBacklogged && harness.connection.transport.gathered == 0)
    }
}

/// A transport whose peer does not read: writes do not complete.
private final class WriteCounter: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData
    var isBlocked = false
    var count = 0
    var bytes = 0
    private var promises: [EventLoopPromise<Void>] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        count += 1
        bytes += unwrapOutboundIn(data).readableBytes
        if isBlocked, let promise { promises.append(promise) } else { promise?.succeed() }
    }

    func unblock() {
        isBlocked = false
        for promise in promises { promise.succeed() }
    }
}
