import HTTPKit
import NIOCore
import OnePort
import OnePortTesting
import Testing
import WSKit

@Suite("An application over pairs of sockets and over TCP")
struct AppTests {
    static func app() -> App {
        let app = App(configuration: AppConfiguration())
        app.use(.requestID)
        app.get("/hello/{name}") { request in .text("Hello, \(try request.parameters.require("name"))!") }
        app.get("/either") { request in
            guard request.isWebSocketRequest else { return .badRequest("a WebSocket endpoint") }
            return try request.acceptWebSocketRequest { socket in
                for try await message in socket.messages { try await socket.send(message) }
            }
        }
        app.webSocket("/rooms/{room}") { socket in
            try await app.rooms[socket.parameters.require("room")].join(socket) { room in
                for try await text in socket.texts { room.publish(text) }
            }
        }
        return app
    }

    @Test(arguments: TestMode.allCases)
    func servesRoutes(mode: TestMode) async throws {
        try await Self.app().test(mode) { client in
            let response = try await client.get("/hello/J%C3%B6rg")
            #expect(response.status == .ok)
            #expect(response.text == "Hello, Jörg!")
            #expect(try await client.get("/nowhere").status == .notFound)
            #expect(try await client.get("/either").status == .badRequest)
        }
    }

    @Test(
        "the path of a folder may have leading and trailing slashes",
        arguments: ["s", "/s", "/s/", "s/"])
    func servesFiles(path: String) async throws {
        let app = Self.app()
        app.files("Sources", at: path)
        try await app.test { client in
            #expect(try await client.get("/s/FirstProgram.swift").status == .notFound)
            let response = try await client.get("/s/TestServer/TestServer.swift")
            #expect(response.status == .ok && response.text.contains("@main"))
            #expect(try await client.get("/s").fields[.location] == "/s/")
        }
    }

    @Test(arguments: TestMode.allCases)
    func turnsARouteIntoASocket(mode: TestMode) async throws {
        try await Self.app().test(mode) { client in
            let socket = try await client.webSocket("/either")
            #expect(socket.isCompressed)
            var texts = socket.texts.makeAsyncIterator()
            for text in ["one", String(repeating: "two ", count: 10_000), ""] {
                try await socket.send(text)
                #expect(try await texts.next() == text)
            }
            #expect(try await socket.ping() < .seconds(5))
            await socket.close()
            #expect(await socket.closeReason?.code == .normal)
        }
    }

    @Test(arguments: TestMode.allCases)
    func publishesToARoom(mode: TestMode) async throws {
        try await Self.app().test(mode) { client in
            let ann = try await client.webSocket("/rooms/x")
            let bob = try await client.webSocket("/rooms/x")
            let eve = try await client.webSocket("/rooms/y")
            var heardByAnn = ann.texts.makeAsyncIterator()
            var heardByBob = bob.texts.makeAsyncIterator()
            var heardByEve = eve.texts.makeAsyncIterator()
            try await bob.send("from bob")
            #expect(try await heardByBob.next() == "from bob")
            try await ann.send("from ann")
            #expect(try await heardByBob.next() == "from ann")
            try await eve.send("alone")
            #expect(try await heardByEve.next() == "alone")
            #expect(try await heardByAnn.next() != nil)
        }
    }

    @Test func rejectsAnotherOrigin() async throws {
        try await Self.app().test { client in
            await #expect(throws: ClientHandshakeError.status(403, location: nil)) {
                _ = try await client.webSocket(
                    "/either", WebSocketClientOptions { $0.fields = [.origin: "http://evil.example"] })
            }
        }
    }
}
