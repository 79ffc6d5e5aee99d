import HTTPTypes
import NIOCore
import OnePort
import OnePortTesting
import Testing

@Suite("RFC 9110 §7.4 the hosts that an application responses for", .timeLimit(.minutes(2)))
struct HostPatternTests {
    @Test(
        "a host on any port, names below a name, a host with a port",
        arguments: [
            ("example.com", "example.com", true), ("example.com", "EXAMPLE.com:8080", true),
            ("Example.COM", "example.com", true), ("example.com", "example.com.", true),
            ("example.com.", "example.com", true),
            ("example.com", "www.example.com", false), ("example.com", "example.com.evil", false),
            ("example.com", "notexample.com", false),
            ("*.example.com", "a.example.com", true), ("*.example.com", "a.b.EXAMPLE.com:81", true),
            ("*.example.com", "example.com", false), ("*.example.com", "notexample.com", false),
            ("*.example.com", ".example.com", false), ("*.example.com:81", "a.example.com:81", true),
            ("*.example.com:81", "a.example.com", false),
            ("localhost:8080", "localhost:8080", true), ("localhost:8080", "localhost", false),
            ("localhost:80", "localhost", true), ("localhost:80", "localhost:80", true),
            ("127.0.0.1", "127.0.0.1:8080", true), ("127.0.0.1", "127.0.0.2", false),
            ("[::1]", "[::1]:8080", true), ("[::1]", "[0:0:0:0:0:0:0:1]", true), ("[::1]:81", "[::1]", false),
        ])
    func matches(pattern: String, authority: String, expected: Bool) throws {
        #expect(try #require(HostPattern(pattern)).matches(authority, scheme: "http") == expected)
    }

    @Test(
        "what is not a host",
        arguments: [
            "", "*", "*.", "*.*.example.com", "a*.example.com", "https://example.com", "example.com/",
            "example.com:",
            "example.com:x", "example.com:65536", "a@b", "a b", "[::1", "::1", "*.[::1]", ".",
        ])
    func invalid(text: String) { #expect(HostPattern(text) == nil) }

    private func app(_ hosts: String) throws -> App {
        let app = App(
            configuration: try AppConfiguration.parse(arguments: ["app", "--hosts", hosts], environment: [:]))
        app.use(Middleware { request, next in try await next(request) })
        app.get("/") { _ in .text("x") }
        app.webSocket("/ws") { for try await _ in $0.messages {} }
        return app
    }

    @Test("RFC 9110 §15.5.20: requests for other hosts are rejected with 421 on every path")
    func misdirected() async throws {
        try await app("example.com, *.example.com, localhost:8080").test { client in
            for (host, status) in [
                ("example.com", 200), ("a.example.com", 200), ("localhost", 421), ("evil.example", 421),
            ] {
                #expect(try await client.get("/", fields: [.host: host]).status.code == status)
            }
            #expect(try await client.get("/missing", fields: [.host: "evil.example"]).status.code == 421)
            // Without a host, as HTTP/1.0 allows.
            let bare = try await client.exchange(ByteBuffer(string: "GET / HTTP/1.0\r\n\r\n"))
            #expect(String(buffer: bare).hasPrefix("HTTP/1.1 421 "))
            let absolute = try await client.exchange(
                ByteBuffer(
                    string:
                        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
                ))
            #expect(String(buffer: absolute).hasPrefix("HTTP/1.1 421 "))
            await #expect(throws: ClientHandshakeError.self) { try await client.webSocket("/ws") }
        }
    }

    @Test("without a list, every host is allowed")
    func open() async throws {
        try await app("").test { client in
            let response = try await client.get("/", fields: [.host: "evil.example"])
            #expect(response.status == .ok)
        }
    }
}

extension HTTPField.Name {
    fileprivate static let host = HTTPField.Name("Host") ?? .via
}
