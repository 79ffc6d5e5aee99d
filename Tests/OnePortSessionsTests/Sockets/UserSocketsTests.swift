import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@Suite("Sockets of users", .timeLimit(.minutes(1)))
struct UserSocketsTests {
    private let clock = TestClock()

    private func cookie(_ client: TestClient, _ user: String) async throws -> HTTPFields {
        let response = try await client.post("/in/\(user)", body: ByteBuffer())
        return [.cookie: String(try #require(response.cookie?.split(separator: ";").first))]
    }

    private func open(_ client: TestClient, _ fields: HTTPFields) async throws -> WebSocket {
        var options = WebSocketClientOptions()
        options.fields = fields
        let socket = try await client.webSocket("/socket", options)
        // The greeting follows `closeAtSignOut`.
        #expect(try await socket.texts.first { _ in true } == "hello")
        return socket
    }

    @Test("Signing out closes the user's sockets with 1008, and no others")
    func signOut() async throws {
        for storage in try TestApp.storages {
            let options = clock.options()
            let app = try TestApp.make(storage, options)
            app.webSocket("/socket") { socket in
                try await socket.closeAtSignOut()
                try await socket.send("hello")
                for try await message in socket.messages { try await socket.send(message) }
            }
            try await app.test { client in
                let (ann, ben) = (try await cookie(client, "ann"), try await cookie(client, "ben"))
                let (first, second) = (try await open(client, ann), try await open(client, ann))
                let (other, visitor) = (try await open(client, ben), try await open(client, [:]))
                #expect(options.sockets.count(of: "ann") == 2 && options.sockets.count(of: "ben") == 1)
                _ = try await client.post("/out", fields: ann, body: ByteBuffer())
                for socket in [first, second] {
                    for try await _ in socket.messages {}
                    #expect(await socket.closeReason?.code == .policyViolation)
                }
                for socket in [other, visitor] {
                    try await socket.send("x")
                    #expect(try await socket.texts.first { _ in true } == "x")
                }
                #expect(options.sockets.count(of: "ann") == 0)
            }
        }
    }

    @Test("A socket whose user signs out during the handshake is closed")
    func race() async throws {
        let store = MemorySessionStore()
        let app = try TestApp.make(.store(store), clock.options())
        app.webSocket("/socket") { socket in
            store.removeAll(of: "ann")
            try await socket.closeAtSignOut()
            for try await _ in socket.messages {}
        }
        try await app.test { client in
            var options = WebSocketClientOptions()
            options.fields = try await cookie(client, "ann")
            let socket = try await client.webSocket("/socket", options)
            for try await _ in socket.messages {}
            #expect(await socket.closeReason?.code == .policyViolation)
        }
    }
}
