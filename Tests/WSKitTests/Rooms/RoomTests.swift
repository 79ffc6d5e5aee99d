import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite struct RoomTests {
    @Test("members join and leave; a closed socket leaves by itself and is not added again")
    func membership() throws {
        let rooms = Rooms()
        let harness = try ConnectionHarness(rooms: rooms)
        let socket = harness.open()
        socket.subscribe("a")
        socket.subscribe("a")
        socket.subscribe("b")
        #expect(rooms.names == ["a", "b"] && rooms["a"].count == 1)
        socket.unsubscribe("b")
        #expect(rooms.names == ["a"])
        harness.channel.pipeline.fireChannelInactive()
        #expect(rooms.names.isEmpty && rooms["a"].count == 0)
        socket.subscribe("a")
        #expect(rooms.names.isEmpty)
    }

    @Test("a socket that joins a room twice stays a member until it has left twice")
    func nested() throws {
        let rooms = Rooms()
        let harness = try ConnectionHarness(rooms: rooms)
        let socket = harness.open()
        let outer = rooms.add(socket, to: "x", policy: .drop)
        let inner = rooms.add(socket, to: "x", policy: .drop)
        #expect(outer === inner && outer.count == 1)
        rooms.remove(socket, from: inner)
        rooms.publish(Message(text: "m"), to: "x")
        #expect(try harness.sent() == frame(0x81, "m", key: nil), "sent once, and still a member")
        rooms.remove(socket, from: outer)
        #expect(rooms.names.isEmpty && outer.count == 0)
        #expect(harness.connection.memberships.rooms.isEmpty)
    }

    @Test("a collection contains a socket once")
    func collection() throws {
        let collection = WebSocketCollection()
        let (one, two) = (try ConnectionHarness(), try ConnectionHarness())
        let (first, second) = (one.open(), two.open())
        for socket in [first, first, second] { collection.add(socket) }
        #expect(collection.count == 2)
        collection.broadcast("m", except: first)
        #expect(try one.sent().isEmpty)
        #expect(try two.sent() == frame(0x81, "m", key: nil))
        collection.remove(first)
        collection.remove(first)
        #expect(collection.count == 1)
        _ = (one, two)
    }

    @Test("slow clients: message dropped, latest message of each room, disconnected")
    func policies() throws {
        let rooms = Rooms()
        let drop = try ConnectionHarness(rooms: rooms)
        let latest = try ConnectionHarness(rooms: rooms)
        let strict = try ConnectionHarness(rooms: rooms)
        drop.open().subscribe("a", slowClients: .drop)
        let socket = latest.open()
        for topic in ["a", "b"] { socket.subscribe(topic, slowClients: .latestOnly) }
        strict.open().subscribe("a", slowClients: .default)
        for harness in [drop, latest, strict] { harness.setWritable(false) }
        for text in ["1", "2"] {
            for topic in ["b", "a"] { rooms.publish(Message(text: topic + text), to: topic) }
        }
        #expect(try strict.sent().dropFirst(2).prefix(2) == [0x03, 0xF5])
        for harness in [drop, latest] { harness.setWritable(true) }
        #expect(try drop.sent().isEmpty)
        #expect(try latest.sent() == frame(0x81, "b2", key: nil) + frame(0x81, "a2", key: nil))
        #expect(drop.connection.sockets.statistics.messagesDropped == 2)
        strict.tick(after: .seconds(6))
        #expect(!strict.channel.isActive, "a full buffer does not stop the close timeout")
    }
}
