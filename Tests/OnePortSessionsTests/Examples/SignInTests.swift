import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@testable import SignIn

@Suite("The example SignIn", .timeLimit(.minutes(1)))
struct SignInTests {
    private func app() throws -> App {
        let app = App(configuration: AppConfiguration())
        try declare(on: app, secrets: .random())
        return app
    }

    private func token(_ client: TestClient) async throws -> String {
        let page = try await client.get("/sign-in").text
        let start = try #require(page.firstRange(of: "value=\"")).upperBound
        return String(page[start...].prefix { $0 != "\"" })
    }

    private static let page: HTTPFields = [.accept: "text/html"]

    @Test("Sign in by the form, say something, sign out")
    func wholeStory() async throws {
        try await app().test { client in
            let ann = client.keepingCookies()
            let sent = try await ann.get("/", fields: Self.page)
            #expect(sent.status == .seeOther && sent.fields[.location] == "/sign-in?next=%2F")
            let form: KeyValuePairs = [
                "csrf": try await token(ann), "name": "ann <b>", "password": "open sesame",
            ]
            let response = try await ann.post("/sign-in?next=/", form: form)
            #expect(response.status == .seeOther && response.fields[.location] == "/")
            let text = try await ann.get("/", fields: Self.page).text
            #expect(text.contains("Hello, ann &lt;b&gt;!"))

            var options = WebSocketClientOptions()
            options.fields[.cookie] = String(
                try #require(response.fields[.setCookie]?.split(separator: ";").first))
            let socket = try await client.webSocket("/echo", options)
            try await socket.send("hi")
            let echo = try await socket.texts.first { _ in true }
            #expect(echo == "ann <b>: hi")
            _ = try await ann.post("/sign-out", body: ByteBuffer())
            for try await _ in socket.messages {}
            #expect(await socket.closeReason?.code == .policyViolation)
            let status = try await ann.get("/").status
            #expect(status == .unauthorized)
        }
    }

    @Test("A wrong password, a missing token and a foreign page do not sign in")
    func rejected() async throws {
        try await app().test { client in
            let ann = client.keepingCookies()
            let token = try await token(ann)
            let wrong = try await ann.post("/sign-in", form: ["csrf": token, "name": "ann", "password": "x"])
            let page = try await ann.get("/sign-in").text
            #expect(wrong.status == .seeOther && page.contains("The name or the password is wrong."))
            let missing = try await ann.post("/sign-in", form: ["name": "ann", "password": "open sesame"])
            let foreign = try await ann.post(
                "/sign-in", fields: [.origin: "https://evil.example"],
                form: ["csrf": token, "name": "ann", "password": "open sesame"])
            #expect(missing.status == .forbidden && foreign.status == .forbidden)
            await #expect(throws: ClientHandshakeError.self) { try await client.webSocket("/echo") }
        }
    }

    @Test("Passwords are tried ten times a minute at most")
    func tooMany() async throws {
        try await app().test(.live) { client in
            // All at once: on a busy machine, one after the other would take longer than the limit counts.
            let statuses = try await withThrowingTaskGroup(of: Int.self, returning: Set<Int>.self) { group in
                for _ in 0..<40 {
                    group.addTask { try await client.post("/sign-in", form: ["password": "x"]).status.code }
                }
                return try await group.reduce(into: []) { $0.insert($1) }
            }
            #expect(statuses == [403, 429])
        }
    }
}
