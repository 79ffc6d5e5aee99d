import FoundationEssentials
import HTTPKit
import WSKit

/// Who is held to a pace: all connections of one address together.
enum Origin: Hashable, Sendable {
    case network(ClientNetwork)
    /// A connection whose address is not known.
    case line(UUID)
}

/// One client's connection, as the rooms see it.
protocol Line: Sendable {
    /// Tells connections apart.
    var id: UUID { get }
    /// Where it comes from.
    var origin: Origin { get }
    /// Sends to this client alone. Waits while the client does not read; throws when it is gone.
    func send(_ message: ServerMessage) async throws
    /// Ends the connection.
    func end() async
}

/// What carries a message to everybody in a room: in the program WSKit's rooms, in tests a list.
protocol Carrier: Sendable {
    /// From now on the connection gets what is published in the room.
    func add(_ line: any Line, to room: RoomName) async
    /// The connection gets nothing more of the room.
    func remove(_ line: any Line, from room: RoomName) async
    /// Sends to everybody in the room, but for one. Never waits for a slow client.
    func publish(_ message: ServerMessage, in room: RoomName, except line: (any Line)?) async
}

extension Line {
    /// Nothing is known but the connection itself.
    var origin: Origin { .line(id) }
}
