import HTTPKit
import OnePort
import WSKit

/// The chat's routes: the page, its files, the history as JSON, and the WebSocket, all on one port.
enum ChatServer {
    /// Declares the routes on `app`.
    static func declare(on app: App, history: History, limits: ChatLimits = ChatLimits()) {
        let registry = RoomRegistry(
            history: history, broadcaster: TopicBroadcaster(rooms: app.rooms), limits: limits)
        app.use(.requestID, .accessLog, .securityHeaders())
        app.files("Public")
        app.get("/") { request in
            try request.render("index", page(limits))
        }
        app.get("/api/rooms/{room}/messages") { request in
            guard let room = try? RoomName(request.parameters.require("room"), limits: limits) else {
                return .notFound("There is no room with that name.")
            }
            return try .json(await history.recent(in: room, limit: limits.recentMessages))
        }
        var options = app.webSocketOptions
        options.limits.maxMessageSize = limits.frameBytes
        options.limits.sendBufferSize = limits.sendBufferBytes
        app.webSocket("/rooms/{room}", options, admit: { ClientInfo($0) }) { socket in
            try await serve(socket, in: registry)
        }
    }

    /// The values of the page's template.
    private static func page(_ limits: ChatLimits) -> [String: String] {
        [
            "title": "OnePort Chat", "textLimit": "\(limits.textBytes)", "nameLimit": "\(limits.nameLength)",
            "roomLimit": "\(limits.roomLength)",
        ]
    }

    /// Serves a client from its handshake until it disconnects.
    private static func serve(_ socket: StatefulWebSocket<ClientInfo>, in registry: RoomRegistry) async throws
    {
        var session = ClientSession(
            room: socket.state.room, connection: SocketConnection(socket), registry: registry)
        do {
            for try await message in socket.messages {
                guard let text = message.text else {
                    try await session.receiveBinary()
                    continue
                }
                try await session.receive(text, at: .now, time: History.now())
            }
        } catch is WebSocketClosed {
            // The client disconnected during a reply.
        } catch {
            await session.end()
            throw error
        }
        await session.end()
    }
}
