import OnePort
import OnePortTesting
import Testing

@testable import ChatApp

@Suite("The chat over HTTP", .timeLimit(.minutes(5)))
struct PageTests {
    @Test("The page uses resources of its own origin only, and contains the limits")
    func page() async throws {
        try await ChatServerTests.chat { client in
            let page = try await client.get("/")
            #expect(page.status == .ok)
            #expect(page.fields[.contentType] == "text/html; charset=utf-8")
            let policy = try #require(page.fields[.contentSecurityPolicy])
            #expect(policy.contains("default-src 'self'"))
            #expect(!policy.contains("unsafe"))
            // Own origin only. The browser tests show that the page's socket is allowed.
            #expect(policy.contains("connect-src 'self';"))
            #expect(page.fields[.xContentTypeOptions] == "nosniff")
            for part in [#"data-text-limit="4096""#, #"id="join-form""#, #"id="composer""#, "OnePort Chat"] {
                #expect(page.text.contains(part), "\(part)")
            }
            for address in ["http://", "https://", "//"] {
                #expect(!page.text.contains("\"\(address)"), "no resource from elsewhere")
            }
        }
    }

    @Test(
        "All resources of the page are served with their media types",
        arguments: [
            ("/chat.css", "text/css; charset=utf-8"), ("/chat.js", "text/javascript; charset=utf-8"),
            ("/chat/composer.js", "text/javascript; charset=utf-8"),
            ("/favicon.svg", "image/svg+xml; charset=utf-8"),
            ("/waves.svg", "image/svg+xml; charset=utf-8"),
        ])
    func files(path: String, type: String) async throws {
        try await ChatServerTests.chat { client in
            let file = try await client.get(path)
            #expect(file.status == .ok)
            #expect(file.fields[.contentType] == type)
            let tag = try #require(file.fields[.eTag])
            #expect(try await client.get(path, fields: [.ifNoneMatch: tag]).status == .notModified)
        }
    }

    @Test("A room's history is available as JSON")
    func history() async throws {
        try await ChatServerTests.chat { client in
            let ann = try await Guest.enter(
                try await client.webSocket("/rooms/lobby", .patient), as: .init(name: "ann"))
            let said = [try await ann.say("one"), try await ann.say("two")]
            let response = try await client.get("/api/rooms/lobby/messages")
            #expect(response.fields[.contentType] == "application/json")
            #expect(try response.json(as: [ChatMessage].self) == said)
            #expect(try await client.get("/api/rooms/LOBBY/messages").json(as: [ChatMessage].self) == said)
            #expect(try await client.get("/api/rooms/empty/messages").text == "[]")
            #expect(try await client.get("/api/rooms/no%20room/messages").status == .notFound)
            #expect(
                try await client.post("/api/rooms/lobby/messages", json: said).status == .methodNotAllowed)
        }
    }

    @Test("A plain request to the socket's path gets an error that mentions WebSocket")
    func plainRequestToSocket() async throws {
        try await ChatServerTests.chat { client in
            let response = try await client.get("/rooms/lobby")
            #expect(response.status == .upgradeRequired || response.status == .badRequest)
            #expect(response.text.lowercased().contains("websocket"))
            #expect(try await client.get("/nowhere").status == .notFound)
        }
    }
}
