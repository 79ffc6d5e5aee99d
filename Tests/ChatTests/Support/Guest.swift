import FoundationEssentials
import WSKit

@testable import Chat

/// Somebody in a room without a page: a socket and the protocol of docs/chat.md.
struct Guest: Sendable {
    let socket: WebSocket
    /// What the last `join` was answered with.
    var welcome: ServerMessage.Welcome

    /// Enters a room of a server that runs by itself.
    static func join(_ name: String, at server: ServerProgram, room: String = "lobby") async throws -> Guest {
        try await enter(
            try await WebSocketClient.connect(to: server.room(room), .patient), as: .init(name: name))
    }

    /// Enters a room over an open socket.
    static func enter(_ socket: WebSocket, as join: ClientMessage.Join) async throws -> Guest {
        try await socket.send(try ClientMessage.join(join).json())
        while true {
            switch try await socket.nextMessage() {
            case .welcome(let welcome): return Guest(socket: socket, welcome: welcome)
            case .said: continue
            case let other: throw Unexpected(message: other)
            }
        }
    }

    /// Says something and waits until the server has stored it.
    @discardableResult
    func say(_ text: String, ref: String = UUID().uuidString) async throws -> ChatMessage {
        try await send(.say(.init(text: text, ref: ref)))
        while true {
            switch try await socket.nextMessage() {
            case .said(let message) where message.ref == ref: return message
            case .error(let error): throw Unexpected(message: .error(error))
            default: continue
            }
        }
    }

    func send(_ message: ClientMessage) async throws { try await socket.send(try message.json()) }

    /// The next message, which is to be that of another person.
    func next() async throws -> ServerMessage { try await socket.nextMessage() }
}

extension WebSocketClientOptions {
    /// The handshake may take as long as anything.
    static var patient: WebSocketClientOptions { WebSocketClientOptions { $0.connectTimeout = patience } }
}

/// The chat answered what nobody waited for.
struct Unexpected: Error, CustomStringConvertible {
    let message: ServerMessage
    var description: String { "the chat answered \(message)" }
}

/// The connection ended while something was waited for.
struct ConnectionEnded: Error, CustomStringConvertible {
    let reason: CloseReason?
    var description: String { "the connection ended: \(reason.map { "\($0)" } ?? "no reason")" }
}

extension WebSocket {
    /// The next message of the chat. The end of the connection is an error, and so is a silence that lasts.
    func nextMessage() async throws -> ServerMessage {
        let watch = Task {
            try await Task.sleep(for: patience)
            try? beginClose(.goingAway, reason: "nothing came")
        }
        defer { watch.cancel() }
        guard let text = try await texts.first(where: { _ in true }) else {
            throw ConnectionEnded(reason: await closeReason)
        }
        return try ServerMessage(json: text)
    }
}
