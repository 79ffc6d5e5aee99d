import HTTPKit
import Synchronization

/// A named group of sockets that receive the messages published to it.
///
/// A room may be used from any task. A socket leaves its rooms when it closes.
public final class Room: Sendable {
    /// The name of the room in `Rooms`.
    public let name: String
    let set = SocketSet()
    private let rooms: Rooms

    init(name: String, rooms: Rooms) {
        self.name = name
        self.rooms = rooms
    }

    /// How many members the room has.
    public var count: Int { current.count }

    /// The current members.
    public var members: [WebSocket] {
        get async { await current.all() }
    }

    /// The members of the room with this name. They may be in another `Room` than this one if the room was empty when this
    /// one was looked up.
    private var current: SocketSet { rooms.find(name)?.set ?? set }

    /// Makes `socket` a member while `body` runs. Messages that are published after `body` has begun reach the socket.
    ///
    /// - Parameter slowClients: what happens to messages for this socket while its send buffer is full.
    public func join<Result>(
        _ socket: WebSocket, slowClients: SlowClientPolicy = .default, _ body: (Room) async throws -> Result
    ) async rethrows -> Result {
        let room = rooms.add(socket, to: name, policy: slowClients.checked)
        defer { rooms.remove(socket, from: room) }
        // From another thread, the socket is not added before its loop has run. A publisher on that loop must not be faster.
        await socket.connection.onLoopAsync { _ in }
        return try await body(room)
    }

    /// Makes `socket` a member until it is removed or closes. Use it when the membership is not bound to a closure, as with
    /// `join`. Messages that are published after this returns reach the socket. Adding a socket twice has no effect.
    ///
    /// - Parameter slowClients: what happens to messages for this socket while its send buffer is full.
    public func add(_ socket: WebSocket, slowClients: SlowClientPolicy = .default) async {
        await socket.connection.onLoopAsync { [rooms, name] connection in
            guard !connection.isClosed else { return }
            rooms.subscribe(connection, socket, to: name, slowClients: slowClients)
        }
    }

    /// Removes a socket that `add` made a member. Messages that are published after this returns do not reach the socket,
    /// unless it is also a member through `join`.
    public func remove(_ socket: WebSocket) async {
        await socket.connection.onLoopAsync { [rooms, name] connection in
            rooms.unsubscribe(connection, socket, from: name)
        }
    }

    /// Sends a message to all members, or to all but one. It is encoded and compressed once for all of them. Messages that
    /// one task publishes arrive in order.
    public func publish(_ message: Message, except excluded: WebSocket? = nil) {
        rooms.publish(message, to: name, except: excluded)
    }

    /// Sends text to all members, or to all but one.
    public func publish(_ text: String, except excluded: WebSocket? = nil) {
        publish(Message(text: text), except: excluded)
    }

    /// Sends a value as a JSON text message to all members, or to all but one.
    ///
    /// - Throws: `EncodingError`.
    public func publish(json value: some Encodable, except excluded: WebSocket? = nil) throws {
        publish(Message(kind: .text, payload: try JSON.encode(value)), except: excluded)
    }
}

extension Room: Membership {
    /// Ends a subscription with its socket. The room's set is a membership of its own and has removed the socket.
    func connectionEnded(_ connection: WebSocketConnection) { rooms.release(name) }
}
