import HTTPKit
import OnePort
import WSKit

/// The chat's routes: the page, its files, the history as JSON and the socket, all on one port.
enum ChatServer {
    /// Declares everything on `app`.
    static func declare(on app: App, history: History, limits: ChatLimits = ChatLimits()) {
        let house = House(history: history, carrier: TopicCarrier(rooms: app.rooms), limits: limits)
        app.use(.requestID, .accessLog, .securityHeaders())
        app.files("Public")
        app.get("/") { request in
            try request.render("index", page(limits))
        }
        app.get("/api/rooms/{room}/messages") { request in
            guard let room = try? RoomName(request.parameters.require("room"), limits: limits) else {
                return .notFound("There is no room of that name.")
            }
            return try .json(await history.recent(in: room, limit: limits.recentMessages))
        }
        var options = app.webSocketOptions
        options.limits.maxMessageSize = limits.frameOctets
        options.limits.sendBufferSize = limits.sendBufferOctets
        app.webSocket("/rooms/{room}", options, admit: { Caller($0) }) { socket in
            try await converse(over: socket, in: house)
        }
    }

    /// What the page needs to know before it is told over the socket.
    private static func page(_ limits: ChatLimits) -> [String: String] {
        [
            "title": "OnePort Chat", "textLimit": "\(limits.textOctets)", "nameLimit": "\(limits.nameLength)",
            "roomLimit": "\(limits.roomLength)",
        ]
    }

    /// One client from its handshake to its end.
    private static func converse(over socket: StatefulWebSocket<Caller>, in house: House) async throws {
        var visit = Visit(room: socket.state.room, line: SocketLine(socket), house: house)
        do {
            for try await message in socket.messages {
                guard let text = message.text else {
                    try await visit.receiveBinary()
                    continue
                }
                try await visit.receive(text, at: .now, time: History.now())
            }
        } catch is WebSocketClosed {
            // The client went while it was being answered.
        } catch {
            await visit.end()
            throw error
        }
        await visit.end()
    }
}
