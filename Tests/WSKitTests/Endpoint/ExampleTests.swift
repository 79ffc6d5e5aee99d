import HTTPKit
import HTTPTypes
import NIOCore
import NIOPosix
import Testing

@testable import HTTPAndSockets
@testable import HTTPKitOnly
@testable import WSKit

/// The examples that use the two modules without OnePort.
@Suite("Examples without the application module")
struct ExampleTests {
    @Test("HTTPKit alone: a note is stored and read")
    func notes() throws {
        let carrier = try MemoryCarrier(notesRoutes())
        try carrier.request(.post, "/notes", hasContent: true)
        carrier.push("buy milk")
        carrier.endContent()
        #expect(carrier.sent.status == 201)
        #expect(carrier.sent.fields[.location] == "/notes/1")
        try carrier.request(.get, "/notes/1")
        #expect(carrier.sent.content == "buy milk")
        try carrier.request(.get, "/notes/2")
        #expect(carrier.sent.status == 404)
        try carrier.request(.get, "/notes/x")
        #expect(carrier.sent.status == 404)
    }

    @Test("HTTPKit and WSKit: a page and its socket")
    func lobby() async throws {
        var values = RequestValues()
        values[WebSocketDefaults.self] = WebSocketDefaults(rooms: Rooms(), logger: .silent)
        var configuration = HTTPServer.Configuration()
        configuration.port = 0
        // The shared event loops may be busy with other tests.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try HTTPServer(
            configuration: configuration, group: group, logger: .silent, values: values,
            routes: lobbyRoutes())
        let port = try #require(try await server.start().port)
        var options = WebSocketClientOptions()
        options.connectTimeout = .seconds(60)
        let url = "ws://127.0.0.1:\(port)/lobby"
        let heard = try await WebSocketClient.withConnection(to: url, options) { first in
            try await WebSocketClient.withConnection(to: url, options) { second in
                // Both are members once each has heard its own message.
                for socket in [first, second] {
                    try await socket.send("here")
                    for try await _ in socket.messages { break }
                }
                try await second.send("all")
                for try await message in first.messages where message.text == "all" { return true }
                return false
            }
        }
        #expect(heard)
        await server.shutdown(within: .seconds(1))
        try await group.shutdownGracefully()
    }
}
