import OnePort
import OnePortSessions
import OnePortTesting
import Testing

@Suite("Sessions in a store", .timeLimit(.minutes(1)))
struct StoredSessionTests {
    private let clock = TestClock()

    private func cookie(_ response: TestResponse) throws -> HTTPFields {
        [.cookie: String(try #require(response.cookie?.split(separator: ";").first))]
    }

    @Test("A cookie from before signing out is not valid any more")
    func replay() async throws {
        let store = MemorySessionStore()
        try await TestApp.make(.store(store), clock.options()).test { client in
            let fields = try cookie(try await client.post("/in/ann", body: ByteBuffer()))
            _ = try await client.post("/out", fields: fields, body: ByteBuffer())
            #expect(try await client.get("/me", fields: fields).text == "nobody")
            #expect(store.count == 0)
        }
    }

    @Test("Requests of one session at the same time lose no change")
    func concurrent() async throws {
        let app = try TestApp.make(.store(MemorySessionStore()), clock.options())
        try await app.test { client in
            let fields = try cookie(try await client.post("/number", body: ByteBuffer()))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        _ = try await client.post("/flash/\(index)", fields: fields, body: ByteBuffer())
                    }
                }
                try await group.waitForAll()
            }
            let texts = try await client.get("/flashes", fields: fields).text.split(separator: ",")
            #expect(Set(texts) == Set((0..<20).map { Substring("\($0)") }))
        }
    }

    @Test("A request that ends after its user has signed out does not bring the session back")
    func late() async throws {
        let store = MemorySessionStore()
        let app = try TestApp.make(.store(store), clock.options())
        app.post("/late") { request in
            try request.session[TestApp.Number.self] = 9
            store.removeAll(of: "ann")
            return .noContent
        }
        app.post("/renew") { request in
            try request.session.renew()
            store.removeAll(of: "ann")
            return .noContent
        }
        for path in ["/late", "/renew"] {
            try await app.test { client in
                let fields = try cookie(try await client.post("/in/ann", body: ByteBuffer()))
                let late = try await client.post(path, fields: fields, body: ByteBuffer())
                #expect(late.cookie == nil && store.count == 0)
            }
        }
    }

    @Test("All sessions of a user end at once, and no others")
    func removeAll() async throws {
        let store = MemorySessionStore()
        try await TestApp.make(.store(store), clock.options()).test { client in
            var ann: [HTTPFields] = []
            for _ in 0..<2 { ann.append(try cookie(try await client.post("/in/ann", body: ByteBuffer()))) }
            let ben = try cookie(try await client.post("/in/ben", body: ByteBuffer()))
            store.removeAll(of: "ann")
            for fields in ann { #expect(try await client.get("/me", fields: fields).text == "nobody") }
            #expect(try await client.get("/me", fields: ben).text == "ben")
        }
    }

    @Test("A full store drops visitors, not users")
    func capacity() async throws {
        let store = MemorySessionStore(capacity: 32)
        try await TestApp.make(.store(store), clock.options()).test { client in
            let ann = try cookie(try await client.post("/in/ann", body: ByteBuffer()))
            for _ in 0..<100 {
                clock.advance(1)
                _ = try await client.post("/number", body: ByteBuffer())
            }
            #expect(store.count <= 32)
            #expect(try await client.get("/me", fields: ann).text == "ann")
        }
    }

    @Test("A session has a bound of its own")
    func tooLarge() async throws {
        let app = try TestApp.make(.store(MemorySessionStore()), clock.options { $0.maxStoredSize = 1000 })
        try await app.test { client in
            let fits = try await client.post("/notes/900", body: ByteBuffer())
            let tooLarge = try await client.post("/notes/1000", body: ByteBuffer())
            #expect(fits.status == .noContent && tooLarge.status == .internalServerError)
        }
    }
}
