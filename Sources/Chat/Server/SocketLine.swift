import FoundationEssentials
import HTTPKit
import WSKit

/// What is known of a client before its socket opens. Nobody is refused here: a browser cannot read why a handshake was
/// refused, so what is wrong with the room is told over the socket.
struct Caller: Sendable {
    /// The room as the path names it.
    let room: String
    /// The client's address, for its pace.
    let network: ClientNetwork?

    init(_ request: Request) {
        room = request.parameters["room"] ?? ""
        network = request.clientAddress.flatMap { ClientNetwork($0) }
    }
}

/// A client's connection over its WebSocket.
struct SocketLine: Line {
    let id = UUID()
    let socket: WebSocket
    let origin: Origin

    init(_ socket: StatefulWebSocket<Caller>) {
        self.socket = socket
        origin = socket.state.network.map { .network($0) } ?? .line(id)
    }

    func send(_ message: ServerMessage) async throws {
        // A welcome holds a token beside text that others chose. It may be compressed all the same: the token is
        // new with every welcome, so no two sizes tell anything about one secret.
        try await socket.send(try message.json())
    }

    func end() async {
        try? await socket.close(.normal, reason: "replaced")
    }
}

/// Carries messages through WSKit's rooms: each is encoded and compressed once for the whole room.
struct TopicCarrier: Carrier {
    let rooms: Rooms

    func add(_ line: any Line, to room: RoomName) async {
        guard let socket = (line as? SocketLine)?.socket else { return }
        // A client that does not read is disconnected: it comes back and catches up, and nothing is missed unseen.
        await rooms[topic(room)].add(socket)
    }

    func remove(_ line: any Line, from room: RoomName) async {
        guard let socket = (line as? SocketLine)?.socket else { return }
        await rooms[topic(room)].remove(socket)
    }

    func publish(_ message: ServerMessage, in room: RoomName, except line: (any Line)?) async {
        guard let json = try? message.json() else { return }
        rooms.publish(Message(text: json), to: topic(room), except: (line as? SocketLine)?.socket)
    }

    private func topic(_ room: RoomName) -> String { "chat/\(room)" }
}
