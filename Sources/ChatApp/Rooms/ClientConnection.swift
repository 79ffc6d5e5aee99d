import FoundationEssentials
import HTTPKit
import WSKit

/// Where a connection comes from, for rate limits: all connections of one address count together.
enum Origin: Hashable, Sendable {
    case network(ClientNetwork)
    /// A connection whose address is unknown.
    case connection(UUID)
}

/// A client's connection, as the rooms see it.
protocol ClientConnection: Sendable {
    /// Identifies the connection.
    var id: UUID { get }
    /// Where the connection comes from.
    var origin: Origin { get }
    /// Sends a message to this client only. Waits while the client does not read, and throws if it has disconnected.
    func send(_ message: ServerMessage) async throws
    /// Closes the connection.
    func end() async
}

/// Sends messages to everybody in a room: over WSKit's rooms in the program, over an array in tests.
protocol Broadcaster: Sendable {
    /// Adds a connection. From now on, it receives the messages published in the room.
    func add(_ connection: any ClientConnection, to room: RoomName) async
    /// Removes a connection. It receives no more messages of the room.
    func remove(_ connection: any ClientConnection, from room: RoomName) async
    /// Sends to everybody in the room except one connection. Never waits for a slow client.
    func publish(_ message: ServerMessage, in room: RoomName, except connection: (any ClientConnection)?)
        async
}

extension ClientConnection {
    /// The connection itself, if the address is unknown.
    var origin: Origin { .connection(id) }
}
