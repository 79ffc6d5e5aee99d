import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@Suite("Sessions in cookies and in a store", .timeLimit(.minutes(1)))
struct SessionTests {
    private let clock = TestClock()

    /// Runs a test with each storage.
    private func each(
        _ configure: (inout SessionOptions) -> Void = { _ in }, mode: TestMode = .inMemory,
        _ body: (TestClient) async throws -> Void
    ) async throws {
        for storage in try TestApp.storages {
            try await TestApp.make(storage, clock.options(configure)).test(mode) { client in
                try await body(client)
            }
        }
    }

    private func post(_ client: TestClient, _ target: String) async throws -> TestResponse {
        try await client.post(target, body: ByteBuffer())
    }

    @Test("Values stay between the requests of one client, and of that client only")
    func values() async throws {
        try await each { client in
            let (ann, ben) = (client.keepingCookies(), client.keepingCookies())
            _ = try await post(ann, "/number")
            let second = try await post(ann, "/number").text
            let other = try await ben.get("/number").text
            #expect(second == "2" && other == "0")
        }
    }

    @Test("A visitor gets no cookie until something is kept")
    func noCookie() async throws {
        try await each { client in
            let (me, plain) = (try await client.get("/me"), try await client.get("/plain"))
            #expect(me.cookie == nil && plain.cookie == nil)
            #expect(me.fields[.vary] == "Cookie" && me.fields[.cacheControl] == "private, no-cache")
            #expect(plain.fields[.vary] == nil && plain.fields[.cacheControl] == nil)
        }
    }

    @Test("Signing in and out")
    func signing() async throws {
        try await each { client in
            let ann = client.keepingCookies()
            _ = try await post(ann, "/in/ann")
            let during = try await ann.get("/me").text
            let out = try await post(ann, "/out")
            let after = try await ann.get("/me").text
            #expect(during == "ann" && after == "nobody")
            #expect(out.cookie?.contains("Max-Age=0") == true)
        }
    }

    @Test("Signing in gives another identifier and keeps a visitor's values; the old cookie is not signed in")
    func fixation() async throws {
        try await each { client in
            let before = try #require(try await post(client, "/number").cookie?.split(separator: ";").first)
            let sent: HTTPFields = [.cookie: String(before)]
            let response = try await client.post("/in/ann", fields: sent, body: ByteBuffer())
            let after = try #require(response.cookie?.split(separator: ";").first)
            #expect(before != after)
            #expect(try await client.get("/me", fields: sent).text == "nobody")
            let signedIn: HTTPFields = [.cookie: String(after)]
            let (user, number) = (
                try await client.get("/me", fields: signedIn).text,
                try await client.get("/number", fields: signedIn).text
            )
            #expect(user == "ann" && number == "1")
        }
    }

    @Test("Another user gets nothing of the one before")
    func anotherUser() async throws {
        try await each { client in
            let client = client.keepingCookies()
            _ = try await post(client, "/in/ann")
            _ = try await post(client, "/number")
            _ = try await post(client, "/in/ben")
            #expect(try await client.get("/number").text == "0")
            #expect(try await client.get("/me").text == "ben")
        }
    }

    @Test("A session that is not used ends; each use extends it until its lifetime is over")
    func expiry() async throws {
        try await each({
            $0.idleTimeout = .seconds(100)
            $0.lifetime = .seconds(300)
        }) { client in
            let ann = client.keepingCookies()
            _ = try await post(ann, "/in/ann")
            for _ in 0..<3 {
                clock.advance(99)
                #expect(try await ann.get("/me").text == "ann")
            }
            clock.advance(3)
            #expect(try await ann.get("/me").text == "nobody")
            _ = try await post(ann, "/in/ann")
            clock.advance(100)
            #expect(try await ann.get("/me").text == "nobody")
        }
    }

    @Test("A remembered session has a Max-Age, and outlives the idle timeout")
    func remember() async throws {
        try await each({ $0.rememberedLifetime = .seconds(1000) }) { client in
            let ann = client.keepingCookies()
            let plain = try await post(ann, "/in/ann").cookie ?? ""
            let remembered = try await post(ann, "/in/ann?remember=1").cookie ?? ""
            #expect(!plain.contains("Max-Age") && remembered.contains("Max-Age=1000"))
            clock.advance(999)
            #expect(try await ann.get("/me").text == "ann")
            clock.advance(1)
            #expect(try await ann.get("/me").text == "nobody")
        }
    }

    @Test("A session from the future is not valid, unless clocks differ by a little")
    func skew() async throws {
        for (seconds, user) in [(-60, "ann"), (-61, "nobody")] as [(Int64, String)] {
            try await each { client in
                let ann = client.keepingCookies()
                _ = try await post(ann, "/in/ann")
                clock.advance(seconds)
                #expect(try await ann.get("/me").text == user)
            }
        }
    }

    @Test("A message is shown once")
    func flash() async throws {
        try await each { client in
            let ann = client.keepingCookies()
            _ = try await post(ann, "/flash/one")
            _ = try await post(ann, "/flash/two")
            let (first, second) = (try await ann.get("/flashes").text, try await ann.get("/flashes").text)
            #expect(first == "one,two" && second == "")
        }
    }

    @Test("The cookie follows the scheme, and one of plain HTTP does not count over TLS")
    func attributes() async throws {
        try await each(mode: .live) { client in
            let secure: HTTPFields = [try #require(.init("X-Forwarded-Proto")): "https"]
            let plain = try await post(client, "/in/ann").cookie ?? ""
            let tls = try await client.post("/in/ann", fields: secure, body: ByteBuffer()).cookie ?? ""
            #expect(plain.hasPrefix("session=") && plain.hasSuffix("; Path=/; HttpOnly; SameSite=Lax"))
            #expect(
                tls.hasPrefix("__Host-session=") && tls.hasSuffix("; Path=/; Secure; HttpOnly; SameSite=Lax"))
            let value = try #require(plain.split(separator: ";").first)
            for (prefix, user) in [("", "nobody"), ("__Host-", "nobody")] {
                var fields = secure
                fields[.cookie] = prefix + value
                let text = try await client.get("/me", fields: fields).text
                // An identifier in a store is the same under any name, which only the server can set over TLS.
                #expect(text == user || (prefix == "__Host-" && value.utf8.count < 60))
            }
        }
    }

    @Test("What a handler has changed before it fails is kept")
    func failing() async throws {
        try await each { client in
            let ann = client.keepingCookies()
            _ = try await post(ann, "/in/ann")
            let failed = try await post(ann, "/fail")
            #expect(failed.status == .conflict && failed.cookie?.contains("Max-Age=0") == true)
            #expect(try await ann.get("/me").text == "nobody")
        }
    }

    @Test("The session is there in admit")
    func admit() async throws {
        for storage in try TestApp.storages {
            let app = try TestApp.make(storage, clock.options())
            app.webSocket("/socket", admit: { try $0.session.user ?? "nobody" }) { socket in
                try await socket.send(socket.state)
            }
            try await app.test { client in
                let cookie = try #require(
                    try await post(client, "/in/ann").cookie?.split(separator: ";").first)
                var options = WebSocketClientOptions()
                options.fields[.cookie] = String(cookie)
                let socket = try await client.webSocket("/socket", options)
                #expect(try await socket.texts.first { _ in true } == "ann")
            }
        }
    }

    @Test("Without the middleware, the session is an error of the application")
    func notConfigured() async throws {
        let app = App(configuration: AppConfiguration())
        app.get("/me") { .text(try $0.session.user ?? "nobody") }
        try await app.test { client in
            let response = try await client.get("/me")
            #expect(response.status == .internalServerError)
        }
    }
}
