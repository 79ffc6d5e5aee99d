import HTTPKit
import NIOCore
import OnePort
import OnePortTesting
import Testing
import WSKit

@Suite struct PartsTests {
    @Test("callbacks receive whole messages, even if these arrive in parts")
    func callbacks() async throws {
        let app = App(configuration: AppConfiguration())
        let options = WebSocketOptions {
            $0.deliversParts = true
            $0.limits.partSize = 100
        }
        app.webSocket("/echo", options, Echo())
        try await app.test(.inMemory) { client in
            let socket = try await client.webSocket("/echo")
            let text = String(repeating: "é", count: 10_000)
            try await socket.send(text)
            var texts = socket.texts.makeAsyncIterator()
            #expect(try await texts.next() == text)
            await socket.close()
        }
    }
}

private struct Echo: WebSocketHandler {
    func onMessage(_ message: Message, _ socket: WebSocket) { socket.trySend(message) }
}
