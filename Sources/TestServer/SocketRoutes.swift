import HTTPTypes
import NIOCore
import OnePort

/// The WebSocket routes of the fixed contract.
func addSocketRoutes(to app: App) {
    var plain = app.webSocketOptions
    plain.deflate = .off
    plain.limits.maxMessageSize = 16 << 20
    plain.subprotocols = ["echo.v1", "echo.v2"]
    var deflated = plain
    deflated.deflate = .shared
    var withTakeover = plain
    withTakeover.deflate = .contextTakeover(windowBits: 15)

    app.webSocket("/ws", plain, handler: echo)
    app.webSocket("/wsd", deflated, handler: echo)
    app.webSocket("/wsdd", withTakeover, handler: echo)
    app.webSocket("/wsh", plain, Echo())

    // Not part of the contract: callbacks with deflate, to measure the memory of an idle socket.
    app.webSocket("/wshd", deflated, Echo())
    addMix(to: app, withTakeover)

    var unnamed = plain
    unnamed.subprotocols = []
    app.webSocket(
        "/wsauth", unnamed,
        admit: { request in
            guard try request.query["token"] == "letmein" else {
                throw HTTPFailure(
                    .unauthorized, "token is missing or wrong", fields: [.wwwAuthenticate: "Bearer"])
            }
        }, handler: echo)
    app.webSocket("/sub", unnamed, Subscriber())
    app.get("/bcast") { _ in
        Task { await publishLoad(to: app) }
        return .text("ok")
    }
}

/// Not part of the contract: publishes or echoes a client's messages on sockets with context takeover.
private func addMix(to app: App, _ options: WebSocketOptions) {
    app.webSocket("/mix", options) { socket in
        try await app.rooms["mix"].join(socket) { room in
            for try await text in socket.texts {
                if text.hasPrefix("publish ") {
                    room.publish(String(text.dropFirst("publish ".count)))
                } else {
                    try await socket.send(String(text.dropFirst("send ".count)))
                }
            }
        }
    }
}

@Sendable private func echo(_ socket: WebSocket) async throws {
    for try await message in socket.messages { try await socket.send(message) }
}

/// The same echo with callbacks, without a task per connection.
private struct Echo: WebSocketHandler {
    func onMessage(_ message: Message, _ socket: WebSocket) { socket.trySend(message) }
}

/// Subscribes to the topic `load` and ignores messages from clients.
private struct Subscriber: WebSocketHandler {
    func onOpen(_ socket: WebSocket) { socket.subscribe("load", slowClients: .drop) }
    func onMessage(_ message: Message, _ socket: WebSocket) {}
}

/// Publishes 500 messages of 100 bytes, 100 per second, on a fixed schedule.
private func publishLoad(to app: App) async {
    let message = Message(text: String(repeating: "x", count: 100))
    let clock = ContinuousClock()
    let start = clock.now
    for number in 0..<500 {
        try? await clock.sleep(until: start.advanced(by: .milliseconds(10 * number)))
        guard !Task.isCancelled else { return }
        app.rooms.publish(message, to: "load")
    }
}
