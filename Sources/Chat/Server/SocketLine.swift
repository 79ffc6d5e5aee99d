import FoundationEssentials
import HTTPKit
import WSKit

/// A client's connection over its WebSocket.
struct SocketLine: Line {
    let id = UUID()
    let socket: WebSocket

    init(_ socket: WebSocket) { self.socket = socket }

    var origin: Origin {
        socket.request?.clientAddress.flatMap { ClientNetwork($0) }.map { .network($0) } ?? .line(id)
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

/// Carries messages through WSKit's topics: each is encoded and compressed once for the whole room.
struct TopicCarrier: Carrier {
    let rooms: Rooms

    func add(_ line: any Line, to room: RoomName) async {
        guard let socket = (line as? SocketLine)?.socket else { return }
        // A client that does not read is disconnected: it comes back and catches up, and nothing is missed unseen.
        socket.subscribe(topic(room), slowClients: .default)
        // The subscription is made on the socket's loop. Asking something there waits until it is.
        _ = await socket.closeReason
    }

    func remove(_ line: any Line, from room: RoomName) async {
        (line as? SocketLine)?.socket.unsubscribe(topic(room))
    }

    func publish(_ message: ServerMessage, in room: RoomName, except line: (any Line)?) async {
        guard let json = try? message.json() else { return }
        rooms.publish(Message(text: json), to: topic(room), except: (line as? SocketLine)?.socket)
    }

    private func topic(_ room: RoomName) -> String { "chat/\(room)" }
}
