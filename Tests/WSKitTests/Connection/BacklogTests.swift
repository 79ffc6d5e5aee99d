import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite struct BacklogTests {
    @Test("a peer that does not read: answers of a few octets do not take a buffer of the transport each")
    func gathers() throws {
        let writes = WriteCounter()
        let harness = try ConnectionHarness(consumer: .callbacks(Callbacks(journal: Journal())))
        try harness.channel.pipeline.syncOperations.addHandler(writes, position: .first)
        _ = harness.open()
        writes.isBlocked = true
        for _ in 0..<5000 { try harness.receive(frame(0x81, "x")) }
        #expect(writes.count <= 40 && writes.octets > 10_000, "the first 32, and what has gathered")
        let room = ObjectIdentifier(harness.channel)
        for _ in 0..<5000 {
            harness.loop.turn {
                harness.connection.deliver(PreparedMessage(Message(text: "y")), policy: .drop, room: room)
            }
        }
        #expect(writes.count <= 45)
        writes.unblock()
        harness.run()
        #expect(writes.octets == 30_000)
        #expect(!harness.connection.isBacklogged && harness.connection.out == nil)
    }
}

/// Stands for a transport whose peer does not read: writes wait.
private final class WriteCounter: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData
    var isBlocked = false
    var count = 0
    var octets = 0
    private var promises: [EventLoopPromise<Void>] = []

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        count += 1
        octets += unwrapOutboundIn(data).readableBytes
        if isBlocked, let promise { promises.append(promise) } else { promise?.succeed() }
    }

    func unblock() {
        isBlocked = false
        for promise in promises { promise.succeed() }
    }
}
