import OnePort
import OnePortTesting
import Testing
import WSKit

@Suite("Options of WebSockets")
struct SocketOptionsTests {
    @Test("app.webSocketOptions apply to sockets in groups too, in any order of declaration")
    func inGroups() async throws {
        let app = App(configuration: AppConfiguration())
        @Sendable func echo(_ socket: WebSocket) async throws {
            for try await message in socket.messages { try await socket.send(message) }
        }
        app.webSocket("/top", handler: echo)
        app.group("/group") { $0.webSocket("/inner", handler: echo) }
        app.webSocketOptions.deflate = .off
        app.webSocketOptions.subprotocols = ["own.v1"]
        var own = WebSocketOptions()
        own.subprotocols = ["other.v1"]
        app.group("/group") { $0.webSocket("/own", own, handler: echo) }
        try await app.test { client in
            for (path, subprotocol) in [
                ("/top", "own.v1"), ("/group/inner", "own.v1"), ("/group/own", "other.v1"),
            ] {
                let socket = try await client.webSocket(
                    path, WebSocketClientOptions { $0.subprotocols = ["own.v1", "other.v1"] })
                #expect(socket.subprotocol == subprotocol, "\(path)")
                #expect(socket.isCompressed == (path == "/group/own"), "\(path)")
                await socket.close()
            }
        }
    }

    @Test("a trailing slash redirects to the route, unless the application requires the exact path")
    func trailingSlash() async throws {
        let app = App(configuration: AppConfiguration())
        app.group("/todos") { $0.get("/") { _ in .text("todos") } }
        try await app.test { client in
            let exact = try await client.get("/todos")
            let redirected = try await client.get("/todos/")
            #expect(exact.text == "todos" && redirected.fields[.location] == "/todos")
        }
        app.trailingSlash = .exact
        try await app.test { client in
            let other = try await client.get("/todos/")
            #expect(other.status == .notFound)
        }
    }
}
