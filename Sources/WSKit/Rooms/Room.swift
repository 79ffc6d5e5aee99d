import HTTPKit
import Synchronization

/// Sockets that hear what is published in one place, under one name.
///
/// It may be used from any task; its members are kept per event loop. A socket that closes leaves by itself.
public final class Room: Sendable {
    /// The name that `Rooms` knows it by.
    public let name: String
    let set = SocketSet()
    private let rooms: Rooms

    init(name: String, rooms: Rooms) {
        self.name = name
        self.rooms = rooms
    }

    /// How many members the room has.
    public var count: Int { current.count }

    /// The members that are there now.
    public var members: [WebSocket] {
        get async { await current.all() }
    }

    /// The members of the room of this name: a room that was empty when it was asked for may have them by now.
    private var current: SocketSet { rooms.find(name)?.set ?? set }

    /// Has `socket` be a member while `body` runs: whatever is published once it runs reaches the socket.
    ///
    /// - Parameter slowClients: what becomes of messages for this socket while its send buffer is full.
    public func join<Result>(
        _ socket: WebSocket, slowClients: SlowClientPolicy = .default, _ body: (Room) async throws -> Result
    ) async rethrows -> Result {
        let room = rooms.add(socket, to: name, policy: slowClients.checked)
        defer { rooms.remove(socket, from: room) }
        // On another thread, the socket's loop has not added it yet, and a publisher there would be faster.
        await socket.connection.onLoopAsync { _ in }
        return try await body(room)
    }

    /// Makes `socket` a member until it is removed or closes, for a membership that lasts no closure. When this returns,
    /// whatever is published from then on reaches the socket. Adding it again changes nothing.
    ///
    /// - Parameter slowClients: what becomes of messages for this socket while its send buffer is full.
    public func add(_ socket: WebSocket, slowClients: SlowClientPolicy = .default) async {
        await socket.connection.onLoopAsync { [rooms, name] connection in
            guard !connection.isClosed else { return }
            rooms.subscribe(connection, socket, to: name, slowClients: slowClients)
        }
    }

    /// Takes back what `add` did. When this returns, nothing that is published from then on reaches the socket, unless
    /// it is a member by `join` too.
    public func remove(_ socket: WebSocket) async {
        await socket.connection.onLoopAsync { [rooms, name] connection in
            rooms.unsubscribe(connection, socket, from: name)
        }
    }

    /// Sends a message to all members, or to all but one; it is encoded and compressed once for all of them. The
    /// order of the messages that one task publishes is kept.
    public func publish(_ message: Message, except excluded: WebSocket? = nil) {
        rooms.publish(message, to: name, except: excluded)
    }

    /// Sends text to all members, or to all but one.
    public func publish(_ text: String, except excluded: WebSocket? = nil) {
        publish(Message(text: text), except: excluded)
    }

    /// Sends a value as a text message of JSON to all members, or to all but one.
    ///
    /// - Throws: `EncodingError`.
    public func publish(json value: some Encodable, except excluded: WebSocket? = nil) throws {
        publish(Message(kind: .text, payload: try JSON.encode(value)), except: excluded)
    }
}

extension Room: Membership {
    /// A subscription ends with its socket; the socket has left the room's set by itself.
    func connectionEnded(_ connection: WebSocketConnection) { rooms.release(name) }
}
