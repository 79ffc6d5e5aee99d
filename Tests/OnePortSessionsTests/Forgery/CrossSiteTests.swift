import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@Suite("Forged requests", .timeLimit(.minutes(1)))
struct CrossSiteTests {
    /// Sec-Fetch-Site, Origin, and whether a POST passes.
    static let cases: [(site: String?, origin: String?, passes: Bool)] = [
        (nil, nil, true), ("same-origin", nil, true), ("none", nil, true),
        ("same-site", nil, false), ("cross-site", nil, false), ("", nil, false),
        ("same-origin, none", nil, false),
        ("same-origin", "https://evil.example", true), ("cross-site", "http://localhost", false),
        (nil, "http://localhost", true), (nil, "https://localhost:443", false),
        (nil, "http://localhost:81", false),
        (nil, "http://evil.example", false), (nil, "null", false), (nil, "", false),
        ("cross-site", "https://admin.example", true), (nil, "https://admin.example", true),
        ("cross-site", "https://admin.example.evil", false), (nil, "http://localhost@evil.example", false),
    ]

    private func app() -> App {
        let app = App(configuration: AppConfiguration())
        app.use(.csrfProtection(trustedOrigins: ["https://admin.example"]))
        app.get("/") { _ in .text("page") }
        app.post("/") { _ in .text("done") }
        return app
    }

    @Test("Fetch Metadata and RFC 6454: who may send a POST", arguments: cases)
    func post(site: String?, origin: String?, passes: Bool) async throws {
        try await app().test { client in
            var fields: HTTPFields = [:]
            if let site { fields[try #require(.init("Sec-Fetch-Site"))] = site }
            if let origin { fields[.origin] = origin }
            let posted = try await client.post("/", fields: fields, body: ByteBuffer()).status
            let got = try await client.get("/", fields: fields).status
            #expect(posted == (passes ? .ok : .forbidden) && got == .ok)
        }
    }

    @Test("An entry that is not an origin is reported when the application starts")
    func list() async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.csrfProtection(trustedOrigins: ["admin.example"]))
        await #expect(throws: OriginListError.self) { try await app.test { _ in } }
    }

    @Test("A form needs the token of its session")
    func token() async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.sessions(.store(MemorySessionStore())))
        app.get("/form") { .text(try $0.csrfToken) }
        app.post("/form") { .text(try await $0.protectedForm()["name"] ?? "") }
        app.post("/in") { request in
            try request.session.signIn("ann")
            return .noContent
        }
        try await app.test { client in
            let (ann, ben) = (client.keepingCookies(), client.keepingCookies())
            let (first, second) = (try await ann.get("/form").text, try await ann.get("/form").text)
            let foreign = try await ben.get("/form").text
            #expect(first != second)
            for token in [first, second] {
                let response = try await ann.post("/form", form: ["name": "x", "csrf": token])
                #expect(response.text == "x")
            }
            for token in [foreign, "", "x", String(first.dropLast(2)), first + first] {
                let response = try await ann.post("/form", form: ["name": "x", "csrf": token])
                #expect(response.status == .forbidden)
            }
            #expect(try await ann.post("/form", form: ["name": "x"]).status == .forbidden)
            _ = try await ann.post("/in", body: ByteBuffer())
            #expect(try await ann.post("/form", form: ["csrf": first]).status == .forbidden)
        }
    }
}
