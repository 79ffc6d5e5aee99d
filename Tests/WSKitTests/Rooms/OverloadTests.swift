import HTTPKit
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import WSKit

@Suite struct OverloadTests {
    @Test("messages from other threads are bounded: sockets of a loop that falls behind miss messages")
    func bounded() throws {
        let set = SocketSet()
        let harness = try ConnectionHarness()
        set.add(harness.open(), policy: .drop)
        let shard = set.shard(of: harness.connection)
        let message = PreparedMessage(Message(binary: [UInt8](repeating: 1, count: 1 << 20)))
        for _ in 0..<100 { shard.enqueue(message, except: nil) }
        #expect(
            harness.connection.sockets.queuedBytes.load(ordering: .relaxed) <= SocketSet.maxQueuedBytes
                + (2 << 20))
        harness.run()
        #expect(harness.connection.sockets.queuedBytes.load(ordering: .relaxed) == 0)
        let statistics = harness.connection.sockets.statistics
        #expect(statistics.messagesOut == 32 && statistics.messagesDropped == 68)
        shard.enqueue(message, except: nil)
        harness.run()
        #expect(
            harness.connection.sockets.statistics.messagesOut == 33, "afterwards messages are sent as before")
    }

    @Test("sockets miss messages according to their policy, in order; the excluded one misses none")
    func policies() throws {
        let set = SocketSet()
        let channel = try ConnectionHarness()
        let strict = try ConnectionHarness(on: channel)
        let author = try ConnectionHarness(on: channel)
        set.add(channel.open(), policy: .latestOnly)
        set.add(strict.open(), policy: .default)
        let writer = author.open()
        set.add(writer, policy: .default)
        let shard = set.shard(of: channel.connection)
        func publish(_ text: String) {
            shard.enqueue(PreparedMessage(Message(text: text)), except: writer.connection)
        }
        publish("1")
        channel.connection.sockets.queuedBytes.wrappingAdd(SocketSet.maxQueuedBytes, ordering: .relaxed)
        publish("2")
        channel.connection.sockets.queuedBytes.wrappingSubtract(SocketSet.maxQueuedBytes, ordering: .relaxed)
        publish("3")
        channel.run()
        publish("4")
        channel.run()
        let texts = ["1", "3", "4"].flatMap { frame(0x81, $0, key: nil) }
        #expect(try channel.sent() == texts)
        #expect(try strict.sent().dropFirst(5).prefix(2) == [0x03, 0xF5])
        #expect(try author.sent().isEmpty)
    }
}
