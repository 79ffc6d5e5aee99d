import FoundationEssentials
import HTTPKit
import WSKit

/// What is known about a client before its socket opens. No handshake is rejected here: a browser cannot read the
/// reason, so errors of the room's name are sent over the socket.
struct ClientInfo: Sendable {
    /// The room's name in the path.
    let room: String
    /// The client's address, for the rate limit.
    let network: ClientNetwork?

    init(_ request: Request) {
        room = request.parameters["room"] ?? ""
        network = request.clientAddress.flatMap { ClientNetwork($0) }
    }
}

/// A client's connection over a WebSocket.
struct SocketConnection: ClientConnection {
    let id = UUID()
    let socket: WebSocket
    let origin: Origin

    init(_ socket: StatefulWebSocket<ClientInfo>) {
        self.socket = socket
        origin = socket.state.network.map { .network($0) } ?? .connection(id)
    }

    func send(_ message: ServerMessage) async throws {
        // A welcome contains a secret token next to text that others chose. Compressing both together is safe, because
        // the token is new in every welcome, so an attacker cannot compare sizes for the same secret.
        try await socket.send(try message.json())
    }

    func end() async {
        try? await socket.close(.normal, reason: "replaced")
    }
}

/// Sends messages over WSKit's rooms. Each message is encoded and compressed once for the whole room.
struct TopicBroadcaster: Broadcaster {
    let rooms: Rooms

    func add(_ connection: any ClientConnection, to room: RoomName) async {
        guard let socket = (connection as? SocketConnection)?.socket else { return }
        // A client that does not read is disconnected. It reconnects and catches up, so it misses no message unnoticed.
        await rooms[topic(room)].add(socket)
    }

    func remove(_ connection: any ClientConnection, from room: RoomName) async {
        guard let socket = (connection as? SocketConnection)?.socket else { return }
        await rooms[topic(room)].remove(socket)
    }

    func publish(_ message: ServerMessage, in room: RoomName, except connection: (any ClientConnection)?)
        async
    {
        guard let json = try? message.json() else { return }
        rooms.publish(Message(text: json), to: topic(room), except: (connection as? SocketConnection)?.socket)
    }

    private func topic(_ room: RoomName) -> String { "chat/\(room)" }
}
