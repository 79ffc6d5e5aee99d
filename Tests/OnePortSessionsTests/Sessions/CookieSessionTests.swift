import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@Suite("Sessions in encrypted cookies", .timeLimit(.minutes(1)))
struct CookieSessionTests {
    private let clock = TestClock()

    @Test("A cookie of a previous secret is valid, and sealed again with the current one")
    func rotation() async throws {
        let old = try TestApp.make(.cookie(try SessionSecrets(TestApp.secret)), clock.options())
        let both = try TestApp.make(
            .cookie(try SessionSecrets(TestApp.otherSecret, previous: [TestApp.secret])), clock.options())
        let new = try TestApp.make(.cookie(try SessionSecrets(TestApp.otherSecret)), clock.options())
        var cookie: String?
        try await old.test { cookie = try await $0.post("/in/ann", body: ByteBuffer()).cookie }
        let first = String(try #require(cookie?.split(separator: ";").first))
        try await both.test { client in
            let response = try await client.get("/me", fields: [.cookie: first])
            #expect(response.text == "ann")
            cookie = response.cookie
        }
        let second = String(try #require(cookie?.split(separator: ";").first))
        try await new.test { client in
            let before = try await client.get("/me", fields: [.cookie: first]).text
            let after = try await client.get("/me", fields: [.cookie: second]).text
            #expect(before == "nobody" && after == "ann")
        }
    }

    @Test("A cookie with any character changed, cut off or added is not valid")
    func tampering() async throws {
        let app = try TestApp.make(.cookie(try SessionSecrets(TestApp.secret)), clock.options())
        try await app.test { client in
            let cookie = try #require(
                try await client.post("/in/ann", body: ByteBuffer()).cookie?.split(separator: ";").first)
            let characters = Array(cookie)
            let start = "session=".count
            for index in start..<characters.count - 1 {
                var changed = characters
                changed[index] = changed[index] == "A" ? "B" : "A"
                let text = try await client.get("/me", fields: [.cookie: String(changed)]).text
                #expect(text == "nobody", "changed at \(index)")
            }
            for other in [String(cookie.dropLast()), cookie + "A", "session=", "session=%%%"] {
                #expect(try await client.get("/me", fields: [.cookie: other]).text == "nobody")
            }
            let whole = try await client.get("/me", fields: [.cookie: "session=x; " + cookie]).text
            #expect(whole == "ann")
        }
    }

    @Test("A session that does not fit into a cookie is an error, and the cookie stays as it was")
    func tooLong() async throws {
        let app = try TestApp.make(.cookie(try SessionSecrets(TestApp.secret)), clock.options())
        try await app.test { client in
            let ann = client.keepingCookies()
            let fits = try await ann.post("/notes/2800", body: ByteBuffer())
            let length = fits.cookie?.split(separator: ";").first?.utf8.count ?? 0
            let tooLong = try await ann.post("/notes/3100", body: ByteBuffer())
            #expect(fits.status == .noContent && length > 3000 && length <= 4097)
            #expect(tooLong.status == .internalServerError && tooLong.cookie == nil)
        }
    }

    @Test("A secret is at least 32 bytes long")
    func secrets() {
        #expect(throws: SessionSecretError.tooShort(position: 1, length: 5)) {
            try SessionSecrets(TestApp.secret, previous: ["short"])
        }
        #expect(throws: SessionSecretError.tooMany(count: 9)) {
            try SessionSecrets(TestApp.secret, previous: Array(repeating: TestApp.secret, count: 8))
        }
    }
}
