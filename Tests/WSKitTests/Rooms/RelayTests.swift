import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import WSKit

/// The calls of a relay, and the messages that a relay delivers to rooms.
@Suite struct RelayTests {
    private final class NotedRelay: RoomRelay {
        private let lines = Mutex<[String]>([])

        var noted: [String] {
            lines.withLock { lines in
                defer { lines = [] }
                return lines
            }
        }

        func occupied(_ room: String) { lines.withLock { $0.append("occupied \(room)") } }
        func vacated(_ room: String) { lines.withLock { $0.append("vacated \(room)") } }
        func publish(_ message: Message, to room: String) {
            lines.withLock { $0.append("\(String(buffer: message.payload)) to \(room)") }
        }
    }

    @Test("a relay is told about the first member, the last one that leaves, and every message")
    func reports() throws {
        let (rooms, relay) = (Rooms(), NotedRelay())
        let early = try ConnectionHarness(rooms: rooms)
        early.open().subscribe("early")
        rooms.connect(relay)
        #expect(relay.noted == ["occupied early"])

        let (one, two) = (try ConnectionHarness(rooms: rooms), try ConnectionHarness(rooms: rooms))
        let (first, second) = (one.open(), two.open())
        first.subscribe("x")
        second.subscribe("x")
        #expect(relay.noted == ["occupied x"])

        rooms["x"].publish("by the room")
        rooms.publish(Message(text: "by name"), to: "x")
        first.publish(Message(text: "by a socket"), to: "x")
        rooms.publish(Message(text: "m"), to: "empty here")
        #expect(
            relay.noted == ["by the room to x", "by name to x", "by a socket to x", "m to empty here"])

        first.unsubscribe("x")
        #expect(relay.noted.isEmpty)
        two.channel.pipeline.fireChannelInactive()
        #expect(relay.noted == ["vacated x"])
        _ = (early, second)
    }

    @Test("a message from elsewhere reaches all members and does not go back")
    func delivers() throws {
        let (rooms, relay) = (Rooms(), NotedRelay())
        rooms.connect(relay)
        let harness = try ConnectionHarness(rooms: rooms)
        harness.open().subscribe("x")
        _ = relay.noted
        rooms.deliver(Message(text: "m"), to: "x")
        rooms.deliver(Message(text: "nobody"), to: "y")
        #expect(try harness.sent() == frame(0x81, "m", key: nil))
        #expect(relay.noted.isEmpty)
    }
}
