import HTTPTypes
import OnePort
import OnePortTesting
import Testing

@Suite("RFC 7239 what trusted proxies say of their clients", .timeLimit(.minutes(2)))
struct TrustedProxiesTests {
    private static let cases: [(fields: [(String, String)], expected: String)] = [
        ([], "http 127.0.0.1"),
        ([("X-Forwarded-Proto", "https")], "https 127.0.0.1"),
        ([("X-Forwarded-Proto", "HTTPS"), ("X-Forwarded-For", "192.0.2.43")], "https 192.0.2.43"),
        ([("x-forwarded-for", "192.0.2.43:1234")], "http 192.0.2.43"),
        ([("X-Forwarded-For", "[2001:db8::1]:4711")], "http 2001:db8::1"),
        ([("X-Forwarded-For", "2001:db8::1")], "http 2001:db8::1"),
        ([("X-Forwarded-Proto", "wss")], "https 127.0.0.1"),
        ([("X-Forwarded-Proto", "gopher"), ("X-Forwarded-For", "unknown")], "http 127.0.0.1"),
        // What the client has invented stands before what the proxy knows.
        ([("X-Forwarded-For", "10.1.1.1, 198.51.100.7, 192.0.2.43")], "http 192.0.2.43"),
        (
            [("X-Forwarded-Proto", "https, http"), ("X-Forwarded-For", "1.1.1.1, 192.0.2.43")],
            "http 192.0.2.43"
        ),
        // Other trusted proxies between.
        ([("X-Forwarded-For", "198.51.100.7, 192.0.2.43 , 10.1.1.1,, 10.2.2.2")], "http 192.0.2.43"),
        ([("X-Forwarded-For", "192.0.2.43"), ("X-Forwarded-For", "10.1.1.1")], "http 192.0.2.43"),
        (
            [("X-Forwarded-Proto", "https, http"), ("X-Forwarded-For", "192.0.2.43, 10.1.1.1")],
            "https 192.0.2.43"
        ),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.43, 10.1.1.1")], "https 192.0.2.43"),
        ([("X-Forwarded-For", "10.3.3.3, 10.1.1.1")], "http 10.3.3.3"),
        ([("Forwarded", "for=192.0.2.43;proto=https;by=10.1.1.1")], "https 192.0.2.43"),
        ([("Forwarded", "For=\"[2001:db8:cafe::17]:4711\" ; Proto=https")], "https 2001:db8:cafe::17"),
        ([("Forwarded", "for=198.51.100.7, for=192.0.2.43;proto=https, , for=10.1.1.1")], "https 192.0.2.43"),
        ([("Forwarded", "proto=https;for=192.0.2.43"), ("Forwarded", "for=10.1.1.1")], "https 192.0.2.43"),
        ([("Forwarded", "for=198.51.100.7, for=_hidden;proto=https")], "https 127.0.0.1"),
        ([("Forwarded", "for=198.51.100.7;proto=https, for=unknown")], "http 127.0.0.1"),
        // Malformed.
        ([("Forwarded", "for=192.0.2.43;proto=https, for=\"")], "http 127.0.0.1"),
        ([("Forwarded", "for=192.0.2.43 proto=https")], "http 127.0.0.1"),
        ([("Forwarded", "for")], "http 127.0.0.1"),
        // Two kinds that agree, and two that do not.
        (
            [("Forwarded", "for=192.0.2.43;proto=https"), ("X-Forwarded-For", "192.0.2.43")],
            "https 192.0.2.43"
        ),
        (
            [("Forwarded", "for=198.51.100.7;proto=https"), ("X-Forwarded-For", "192.0.2.43")],
            "https 127.0.0.1"
        ),
    ]

    private func app(trusting proxies: [String]) -> App {
        var configuration = AppConfiguration()
        configuration.trustedProxies = proxies.compactMap(AddressRange.init)
        let app = App(configuration: configuration)
        app.get("/") { .text("\($0.scheme) \($0.clientAddress?.ipAddress ?? "nobody")") }
        return app
    }

    private func fields(_ pairs: [(String, String)]) throws -> HTTPFields {
        var fields: HTTPFields = [:]
        for (name, value) in pairs {
            fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
        }
        return fields
    }

    @Test("RFC 7239 §4, §5.2, §5.4: scheme and client, through any number of trusted proxies")
    func trusted() async throws {
        try await app(trusting: ["127.0.0.0/8", "10.0.0.0/8"]).test(.live) { client in
            for (pairs, expected) in Self.cases {
                let answer = try await client.get("/", fields: try fields(pairs))
                #expect(answer.text == expected, "\(pairs)")
            }
        }
    }

    @Test("RFC 7239 §8.1: nobody else is believed", arguments: [[], ["10.0.0.0/8"]])
    func untrusted(proxies: [String]) async throws {
        try await app(trusting: proxies).test(.live) { client in
            for (pairs, _) in Self.cases {
                let answer = try await client.get("/", fields: try fields(pairs))
                #expect(answer.text == "http 127.0.0.1", "\(pairs)")
            }
        }
    }

    @Test("sockets are counted by the client's address")
    func sockets() async throws {
        let app = app(trusting: ["127.0.0.1"])
        let options = WebSocketOptions { $0.maxSocketsPerAddress = 1 }
        app.webSocket("/ws", options) { for try await _ in $0.messages {} }
        try await app.test(.live) { client in
            let ann = WebSocketClientOptions(fields: try fields([("X-Forwarded-For", "192.0.2.1")]))
            let bob = WebSocketClientOptions(fields: try fields([("X-Forwarded-For", "192.0.2.2")]))
            let first = try await client.webSocket("/ws", ann)
            let second = try await client.webSocket("/ws", bob)
            await #expect(throws: (any Error).self) { try await client.webSocket("/ws", ann) }
            await first.close()
            await second.close()
        }
    }
}

extension WebSocketClientOptions {
    fileprivate init(fields: HTTPFields) {
        self.init()
        self.fields = fields
    }
}
