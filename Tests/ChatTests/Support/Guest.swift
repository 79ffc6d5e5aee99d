import FoundationEssentials
import WSKit

@testable import ChatApp

/// A client of the chat that speaks the protocol of docs/chat.md over a socket.
struct Guest: Sendable {
    let socket: WebSocket
    /// The reply to the last `join`.
    var welcome: ServerMessage.Welcome

    /// Enters a room of a server in another process.
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

    /// Sends a message and waits until the server has stored it.
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

    /// The next message from the server.
    func next() async throws -> ServerMessage { try await socket.nextMessage() }
}

extension WebSocketClientOptions {
    /// Options with a generous time limit for the handshake.
    static var patient: WebSocketClientOptions { WebSocketClientOptions { $0.connectTimeout = patience } }
}

/// The chat sent an unexpected message.
struct Unexpected: Error, CustomStringConvertible {
    let message: ServerMessage
    var description: String { "the chat sent \(message)" }
}

/// The connection ended while the test waited for a message.
struct ConnectionEnded: Error, CustomStringConvertible {
    let reason: CloseReason?
    var description: String { "the connection ended: \(reason.map { "\($0)" } ?? "no reason")" }
}

extension WebSocket {
    /// The next message of the chat.
    ///
    /// - Throws: `ConnectionEnded` if the connection ends, or if no message arrives in time.
    func nextMessage() async throws -> ServerMessage {
        let watch = Task {
            try await Task.sleep(for: patience)
            try? beginClose(.goingAway, reason: "no message arrived")
        }
        defer { watch.cancel() }
        guard let text = try await texts.first(where: { _ in true }) else {
            throw ConnectionEnded(reason: await closeReason)
        }
        return try ServerMessage(json: text)
    }
}
