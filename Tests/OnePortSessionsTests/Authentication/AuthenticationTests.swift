import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@Suite("Authentication", .timeLimit(.minutes(1)))
struct AuthenticationTests {
    struct User: Sendable {
        let name: String
    }

    private static let basicChallenge = "Basic realm=\"the \\\"shop\\\"\", charset=\"UTF-8\""

    private func app() throws -> App {
        let app = App(configuration: AppConfiguration())
        let field = try #require(HTTPField.Name("X-API-Key"))
        app.use(
            .bearer(realm: "api") { token, _ in
                constantTimeEqual(token, "s3cret") ? User(name: "bearer") : nil
            },
            .basic(realm: "the \"shop\"") { user, password, _ in
                constantTimeEqual(password, "pä:ss") ? User(name: user) : nil
            },
            .apiKey(field) { key, _ in constantTimeEqual(key, "key") ? User(name: "key") : nil })
        app.get("/me") { .text(try $0.require(User.self).name) }
        app.get("/open") { .text($0.user(User.self)?.name ?? "nobody") }
        app.group("/admin", .requireUser(User.self)) { $0.get("/x") { _ in .text("x") } }
        return app
    }

    /// A field, its value, and the user; `nil` is 401.
    static let cases: [(field: String, value: String, user: String?)] = [
        ("Authorization", "Bearer s3cret", "bearer"), ("Authorization", "bEARER  s3cret", "bearer"),
        ("Authorization", "Bearer s3cre", nil), ("Authorization", "Bearer", nil),
        ("Authorization", "Bearer s3cret x", nil), ("Authorization", "s3cret", nil),
        // ann:pä:ss, ann:, ann (no colon), not base64.
        ("Authorization", "Basic YW5uOnDDpDpzcw==", "ann"), ("Authorization", "Basic YW5uOg==", nil),
        ("Authorization", "Basic YW5u", nil), ("Authorization", "Basic ???", nil),
        ("X-API-Key", "key", "key"), ("X-API-Key", "kex", nil), ("X-API-Key", "", nil),
    ]

    @Test("RFC 6750, RFC 7617 and API keys", arguments: cases)
    func credentials(field: String, value: String, user: String?) async throws {
        try await app().test { client in
            let fields: HTTPFields = [try #require(.init(field)): value]
            let response = try await client.get("/me", fields: fields)
            let open = try await client.get("/open", fields: fields).text
            let admin = try await client.get("/admin/nothing", fields: fields).status
            #expect(response.status == (user == nil ? .unauthorized : .ok))
            #expect(user == nil || response.text == user)
            #expect(open == user ?? "nobody" && admin == (user == nil ? .unauthorized : .notFound))
        }
    }

    @Test("RFC 9110 §11.6.1: a 401 has the challenges of all middleware, each in a field of its own")
    func challenges() async throws {
        try await app().test { client in
            let none = try await client.get("/me").fields[values: .wwwAuthenticate]
            let wrong = try await client.get("/me", fields: [.authorization: "Bearer x"])
            #expect(
                none == [
                    "Bearer realm=\"api\"", Self.basicChallenge, "APIKey in=\"header\", name=\"X-API-Key\"",
                ])
            #expect(
                wrong.fields[values: .wwwAuthenticate].first
                    == "Bearer realm=\"api\", error=\"invalid_token\"")
        }
    }

    @Test("Two Authorization fields are none")
    func twoFields() async throws {
        try await app().test { client in
            var fields: HTTPFields = [:]
            for _ in 0..<2 { fields.append(HTTPField(name: .authorization, value: "Bearer s3cret")) }
            let status = try await client.get("/me", fields: fields).status
            #expect(status == .unauthorized)
        }
    }

    @Test("Browsers are sent to the sign-in page and back; other clients get 401")
    func signInPage() async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.sessions(.store(MemorySessionStore())), .signInPage("/sign-in"))
        app.use(.sessionUser { name, _ in name == "gone" ? nil : User(name: name) })
        app.get("/me") { .text(try $0.require(User.self).name) }
        app.post("/me") { .text(try $0.require(User.self).name) }
        app.get("/sign-in") { .text($0.nextPage()) }
        app.post("/in/{user}") { request in
            try request.session.signIn(request.parameters.require("user"))
            return .noContent
        }
        try await app.test { client in
            let page: HTTPFields = [.accept: "text/html,*/*;q=0.8"]
            let client = client.keepingCookies()
            let sent = try await client.get("/me?a=1&b=2", fields: page)
            #expect(sent.status == .seeOther)
            let location = try #require(sent.fields[.location])
            let back = try await client.get(location).text
            #expect(back == "/me?a=1&b=2")
            let (json, any) = (
                try await client.get("/me", fields: [.accept: "application/json"]).status,
                try await client.get("/me", fields: [.accept: "*/*"]).status
            )
            let post = try await client.post("/me", fields: page, body: ByteBuffer()).status
            #expect(json == .unauthorized && any == .unauthorized && post == .unauthorized)
            _ = try await client.post("/in/gone", body: ByteBuffer())
            #expect(try await client.get("/me").status == .unauthorized)
            _ = try await client.post("/in/ann", body: ByteBuffer())
            #expect(try await client.get("/me", fields: page).text == "ann")
        }
    }

    @Test(
        "The way back leads to this application only",
        arguments: [
            "https://evil.example", "//evil.example", "/\\evil.example", "/%09/evil.example", "%0A/x", "",
            "x",
        ])
    func nextPage(_ next: String) async throws {
        let app = App(configuration: AppConfiguration())
        app.get("/sign-in") { .text($0.nextPage("/home")) }
        try await app.test { client in
            let text = try await client.get("/sign-in?next=\(next)").text
            #expect(text == "/home")
        }
    }
}
