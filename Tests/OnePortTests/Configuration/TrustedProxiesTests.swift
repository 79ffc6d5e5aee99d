import HTTPTypes
import OnePort
import OnePortTesting
import Testing

@Suite("RFC 7239: headers of trusted proxies", .timeLimit(.minutes(2)))
struct TrustedProxiesTests {
    typealias Case = (fields: [(String, String)], expected: String)

    /// Headers of requests from a trusted proxy over http with `Host: own`, and the expected scheme, client, authority and
    /// prefix.
    private static let xForwarded: [Case] = [
        // A client that is not named is unknown. It is never the proxy.
        ([], "http unknown own"),
        ([("X-Forwarded-Proto", "https")], "https unknown own"),
        ([("X-Forwarded-Proto", "HTTPS"), ("X-Forwarded-For", "192.0.2.43")], "https 192.0.2.43 own"),
        ([("x-forwarded-for", "192.0.2.43:1234")], "http 192.0.2.43 own"),
        ([("X-Forwarded-For", "[2001:db8::1]:4711")], "http 2001:db8::1 own"),
        ([("X-Forwarded-For", "2001:db8::1")], "http 2001:db8::1 own"),
        ([("X-Forwarded-Proto", "wss")], "https unknown own"),
        ([("X-Forwarded-Proto", "gopher"), ("X-Forwarded-For", "unknown")], "http unknown own"),
        // The client's own entries precede those of the proxy.
        ([("X-Forwarded-For", "10.1.1.1, 198.51.100.7, 192.0.2.43")], "http 192.0.2.43 own"),
        (
            [("X-Forwarded-Proto", "https, http"), ("X-Forwarded-For", "1.1.1.1, 192.0.2.43")],
            "http 192.0.2.43 own"
        ),
        // Several trusted proxies.
        ([("X-Forwarded-For", "198.51.100.7, 192.0.2.43 , 10.1.1.1,, 10.2.2.2")], "http 192.0.2.43 own"),
        ([("X-Forwarded-For", "192.0.2.43"), ("X-Forwarded-For", "10.1.1.1")], "http 192.0.2.43 own"),
        (
            [("X-Forwarded-Proto", "https, http"), ("X-Forwarded-For", "192.0.2.43, 10.1.1.1")],
            "https 192.0.2.43 own"
        ),
        (
            [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.43, 10.1.1.1")],
            "https 192.0.2.43 own"
        ),
        ([("X-Forwarded-For", "10.3.3.3, 10.1.1.1")], "http 10.3.3.3 own"),
        // Malformed addresses: an unknown client is better than the wrong one.
        ([("X-Forwarded-For", "198.51.100.7, \"192.0.2.43\"")], "http unknown own"),
        ([("X-Forwarded-For", "198.51.100.7, 192.0.2.43 x")], "http unknown own"),
        ([("X-Forwarded-For", "192.0.2.43:99999")], "http unknown own"),
        ([("X-Forwarded-For", "[2001:db8::1")], "http unknown own"),
        ([("X-Forwarded-For", "[192.0.2.43]")], "http unknown own"),
        ([("X-Forwarded-For", "192.0.2.43, _hidden, 10.1.1.1")], "http unknown own"),
        ([("X-Forwarded-For", "\"")], "http unknown own"),
        // The other field is the client's own.
        (
            [("Forwarded", "for=198.51.100.7;proto=https;host=evil"), ("X-Forwarded-For", "192.0.2.43")],
            "http 192.0.2.43 own"
        ),
        ([("Forwarded", "for=198.51.100.7;proto=https;host=evil")], "http unknown own"),
        // The host, the port, and the prefix.
        ([("X-Forwarded-Host", "example.com")], "http unknown example.com"),
        ([("X-Forwarded-Host", "example.com:8443")], "http unknown example.com:8443"),
        (
            [("X-Forwarded-Host", "[2001:db8::1]"), ("X-Forwarded-Port", "81")],
            "http unknown [2001:db8::1]:81"
        ),
        (
            [("X-Forwarded-Host", "example.com"), ("X-Forwarded-Port", "8443")],
            "http unknown example.com:8443"
        ),
        (
            [("X-Forwarded-Host", "h"), ("X-Forwarded-Port", "443"), ("X-Forwarded-Proto", "https")],
            "https unknown h"
        ),
        ([("X-Forwarded-Host", "h:1"), ("X-Forwarded-Port", "2")], "http unknown h:1"),
        ([("X-Forwarded-Port", "8080")], "http unknown own:8080"),
        ([("X-Forwarded-Port", "80")], "http unknown own"),
        ([("X-Forwarded-Port", "0")], "http unknown own"),
        ([("X-Forwarded-Port", "65536")], "http unknown own"),
        ([("X-Forwarded-Port", "+80")], "http unknown own"),
        ([("X-Forwarded-Host", "a@b")], "http unknown own"),
        ([("X-Forwarded-Host", "a/b")], "http unknown own"),
        ([("X-Forwarded-Host", "a b")], "http unknown own"),
        ([("X-Forwarded-Host", "[::1")], "http unknown own"),
        // With one proxy, the last value is its own.
        ([("X-Forwarded-Host", "evil, example.com")], "http unknown example.com"),
        (
            [
                ("X-Forwarded-Host", "evil, outer, inner"),
                ("X-Forwarded-For", "1.1.1.1, 192.0.2.43, 10.1.1.1"),
            ],
            "http 192.0.2.43 outer"
        ),
        ([("X-Forwarded-Prefix", "/app")], "http unknown own /app"),
        ([("X-Forwarded-Prefix", "/app/")], "http unknown own /app"),
        ([("X-Forwarded-Prefix", "/")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/a/b%20c")], "http unknown own /a/b%20c"),
        ([("X-Forwarded-Prefix", "//evil.example")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/a//b")], "http unknown own"),
        ([("X-Forwarded-Prefix", "app")], "http unknown own"),
        ([("X-Forwarded-Prefix", "https://evil.example")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/a/%2e%2E/b")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/a/..")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/%zz")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/a?b")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/a\\b")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/evil, /app")], "http unknown own /app"),
        (
            [("X-Forwarded-Prefix", "/evil, /outer, /inner"), ("X-Forwarded-For", "192.0.2.43, 10.1.1.1")],
            "http 192.0.2.43 own /outer/inner"
        ),
    ]

    private static let forwarded: [Case] = [
        ([], "http unknown own"),
        ([("Forwarded", "for=192.0.2.43;proto=https;by=10.1.1.1")], "https 192.0.2.43 own"),
        (
            [("Forwarded", "For=\"[2001:db8:cafe::17]:4711\" ; Proto=https")],
            "https 2001:db8:cafe::17 own"
        ),
        (
            [("Forwarded", "for=198.51.100.7, for=192.0.2.43;proto=https, , for=10.1.1.1")],
            "https 192.0.2.43 own"
        ),
        (
            [("Forwarded", "proto=https;for=192.0.2.43"), ("Forwarded", "for=10.1.1.1")],
            "https 192.0.2.43 own"
        ),
        ([("Forwarded", "for=198.51.100.7, for=_hidden;proto=https")], "https unknown own"),
        ([("Forwarded", "for=198.51.100.7;proto=https, for=unknown")], "http unknown own"),
        ([("Forwarded", "for=\"192.0.2.43:_obfuscated\"")], "http 192.0.2.43 own"),
        ([("Forwarded", "for=192.0.2.43;host=\"example.com:8443\"")], "http 192.0.2.43 example.com:8443"),
        (
            [("Forwarded", "for=1.1.1.1;host=evil, for=192.0.2.43;host=h, for=10.1.1.1;host=i")],
            "http 192.0.2.43 h"
        ),
        ([("Forwarded", "host=\"a@b\"")], "http unknown own"),
        // A malformed header is ignored completely.
        ([("Forwarded", "for=192.0.2.43;proto=https, for=\"")], "http unknown own"),
        ([("Forwarded", "for=192.0.2.43 proto=https")], "http unknown own"),
        ([("Forwarded", "for")], "http unknown own"),
        ([("Forwarded", "for=192.0.2.43;for=198.51.100.7")], "http unknown own"),
        ([("Forwarded", "for=\"2001:db8::1\"")], "http unknown own"),
        // The other fields are the client's own.
        (
            [
                ("Forwarded", "for=192.0.2.43"), ("X-Forwarded-For", "198.51.100.7"),
                ("X-Forwarded-Host", "evil"),
            ],
            "http 192.0.2.43 own"
        ),
        ([("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https")], "http unknown own"),
        ([("X-Forwarded-Prefix", "/app")], "http unknown own"),
    ]

    private func app(trusting proxies: [String], _ fields: ForwardedFields = .xForwarded) -> App {
        var configuration = AppConfiguration()
        configuration.trustedProxies = proxies.compactMap(AddressRange.init)
        configuration.forwardedFields = fields
        let app = App(configuration: configuration)
        app.get("/") { request in
            let client = request.clientAddress?.ipAddress ?? "unknown"
            let prefix = request.pathPrefix.isEmpty ? "" : " " + request.pathPrefix
            return .text("\(request.scheme) \(client) \(request.authority ?? "none")" + prefix)
        }
        return app
    }

    private func fields(_ pairs: [(String, String)]) throws -> HTTPFields {
        var fields: HTTPFields = [:]
        for (name, value) in [("Host", "own")] + pairs {
            fields.append(HTTPField(name: try #require(HTTPField.Name(name)), value: value))
        }
        return fields
    }

    @Test(
        "RFC 7239 §4, §5: client, scheme, host and prefix through any number of trusted proxies",
        arguments: [(ForwardedFields.xForwarded, xForwarded), (.forwarded, forwarded)])
    func trusted(kind: ForwardedFields, cases: [Case]) async throws {
        try await app(trusting: ["127.0.0.0/8", "10.0.0.0/8"], kind).test(.live) { client in
            for (pairs, expected) in cases {
                let response = try await client.get("/", fields: try fields(pairs))
                #expect(response.text == expected, "\(pairs)")
            }
        }
    }

    @Test(
        "RFC 7239 §8.1: headers from other addresses are ignored", arguments: [[], ["10.0.0.0/8"]],
        ForwardedFields.allCases)
    func untrusted(proxies: [String], kind: ForwardedFields) async throws {
        try await app(trusting: proxies, kind).test(.live) { client in
            for (pairs, _) in Self.xForwarded + Self.forwarded {
                let response = try await client.get("/", fields: try fields(pairs))
                #expect(response.text == "http 127.0.0.1 own", "\(pairs)")
            }
        }
    }

    @Test("PROXY protocol: it needs trusted proxies, and connections without its header are closed")
    func proxyProtocol() async throws {
        var configuration = AppConfiguration()
        configuration.proxyProtocol = .required
        let error = await #expect(throws: NoTrustedProxyError.self) {
            try await App(configuration: configuration).test(.live) { _ in }
        }
        #expect(error?.description.contains("--trusted-proxies") == true)
        configuration.trustedProxies = [try #require(AddressRange("127.0.0.1"))]
        let app = App(configuration: configuration)
        app.get("/") { _ in .text("x") }
        try await app.test(.live) { client in
            await #expect(throws: (any Error).self) { try await client.get("/") }
        }
        // A pair of sockets is no connection of the listener.
        try await app.test(.inMemory) { client in
            let text = try await client.get("/").text
            #expect(text == "x")
        }
    }

    @Test("RFC 6455 §10.2: a socket behind a proxy that rewrites Host and terminates TLS is accepted")
    func socketOrigin() async throws {
        let app = app(trusting: ["127.0.0.1"])
        app.webSocket("/ws") { for try await _ in $0.messages {} }
        try await app.test(.live) { client in
            let forwarded = [("X-Forwarded-Host", "example.com"), ("X-Forwarded-Proto", "https")]
            func open(_ origin: String) async throws {
                let options = WebSocketClientOptions(
                    fields: try socketFields(forwarded + [("Origin", origin)]))
                try await client.webSocket("/ws", options).close()
            }
            try await open("https://example.com")
            await #expect(throws: (any Error).self) { try await open("http://localhost") }
            await #expect(throws: (any Error).self) { try await open("http://example.com") }
            await #expect(throws: (any Error).self) { try await open("https://evil.example") }
        }
    }

    private func socketFields(_ pairs: [(String, String)]) throws -> HTTPFields {
        var fields = try fields(pairs)
        fields[.init("Host") ?? .via] = nil
        return fields
    }

    @Test("sockets are counted by the client's address")
    func sockets() async throws {
        let app = app(trusting: ["127.0.0.1"])
        let options = WebSocketOptions { $0.maxSocketsPerAddress = 1 }
        app.webSocket("/ws", options) { for try await _ in $0.messages {} }
        try await app.test(.live) { client in
            let ann = WebSocketClientOptions(fields: try socketFields([("X-Forwarded-For", "192.0.2.1")]))
            let bob = WebSocketClientOptions(fields: try socketFields([("X-Forwarded-For", "192.0.2.2")]))
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
