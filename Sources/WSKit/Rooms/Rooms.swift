import Synchronization

/// The rooms of an application, by name. A room exists while it has members.
///
/// Every published message passes through `publish(_:to:except:)`. It is sent to the members in this process, and to
/// other processes through the relay if there is one.
public final class Rooms: Sendable {
    private struct Entry {
        let room: Room
        var members: Int
    }

    private struct Table {
        var entries: [String: Entry] = [:]
        var relay: (any RoomRelay)?
    }

    private let table = Mutex(Table())

    /// Creates a directory without rooms.
    public init() {}

    /// Connects the rooms with those of other processes. Rooms that already have members are reported to the relay.
    package func connect(_ relay: any RoomRelay) {
        table.withLock { table in
            table.relay = relay
            for name in table.entries.keys.sorted() { relay.occupied(name) }
        }
    }

    /// The room with that name. Rooms without members take no memory here, so any name may be used.
    public subscript(name: String) -> Room {
        find(name) ?? Room(name: name, rooms: self)
    }

    func find(_ name: String) -> Room? { table.withLock { $0.entries[name]?.room } }

    /// The names of the rooms that have members.
    public var names: [String] { table.withLock { $0.entries.keys.sorted() } }

    /// Publishes a message to a room or topic. Does nothing if the room has no members, here or in other processes.
    ///
    /// The message is encoded and compressed once for all members. Messages that one task publishes arrive in order.
    public func publish(_ message: Message, to name: String, except excluded: WebSocket? = nil) {
        let (room, relay) = table.withLock { ($0.entries[name]?.room, $0.relay) }
        room?.set.broadcast(PreparedMessage(message), except: excluded)
        relay?.publish(message, to: name)
    }

    /// Delivers a message that another process has published. It is not passed to the relay.
    package func deliver(_ message: Message, to name: String) {
        find(name)?.set.broadcast(PreparedMessage(message), except: nil)
    }

    /// Makes a socket a member. The entry counts its members, and stays until the last one has been removed.
    func add(_ socket: WebSocket, to name: String, policy: SlowClientPolicy) -> Room {
        let room = table.withLock { table in
            if let entry = table.entries[name] {
                table.entries[name]?.members += 1
                return entry.room
            }
            let room = Room(name: name, rooms: self)
            table.entries[name] = Entry(room: room, members: 1)
            table.relay?.occupied(name)
            return room
        }
        room.set.add(socket, policy: policy)
        return room
    }

    /// Reverts one `add`.
    func remove(_ socket: WebSocket, from room: Room) {
        room.set.remove(socket, all: false)
        release(room.name)
    }

    func release(_ name: String) {
        table.withLock { table in
            guard let entry = table.entries[name] else { return }
            if entry.members > 1 {
                table.entries[name]?.members -= 1
            } else {
                table.entries[name] = nil
                table.relay?.vacated(name)
            }
        }
    }
}

/// Connects the rooms of this process with those of other processes, for example through a message broker.
///
/// `occupied` and `vacated` are called in order while the table of rooms is locked: they must return quickly and must
/// not call the rooms. All methods may be called from any thread.
package protocol RoomRelay: AnyObject, Sendable {
    /// Called when a room gets its first member in this process.
    func occupied(_ room: String)
    /// Called when the last member in this process has left a room.
    func vacated(_ room: String)
    /// Called when a message was published in this process. Its members in this process have been sent the message. Pass
    /// messages from other processes to `Rooms.deliver(_:to:)`.
    func publish(_ message: Message, to room: String)
}

extension Rooms: TopicDirectory {
    package func subscribe(
        _ connection: WebSocketConnection, _ socket: WebSocket, to topic: String,
        slowClients: SlowClientPolicy
    ) {
        guard connection.memberships.topics[topic] == nil else { return }
        connection.memberships.topics[topic] = add(socket, to: topic, policy: slowClients)
    }

    package func unsubscribe(_ connection: WebSocketConnection, _ socket: WebSocket, from topic: String) {
        guard connection.memberships.topics.removeValue(forKey: topic) != nil, let room = find(topic) else {
            return
        }
        remove(socket, from: room)
    }
}
