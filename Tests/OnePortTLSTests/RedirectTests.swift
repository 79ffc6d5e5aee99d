import HTTPKit
import NIOCore
import NIOPosix
import OnePort
import Testing

@testable import OnePortTLS

@Suite("Requests without TLS", .timeLimit(.minutes(2)))
struct RedirectTests {
    /// Everything that a server on `port` sends for `request` without TLS.
    private func response(_ port: Int, _ request: String) async throws -> String {
        let group = MultiThreadedEventLoopGroup.singleton
        let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port) {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: request))
            var text = ""
            for try await data in inbound { text += String(buffer: data) }
            return text
        }
    }

    private func get(_ target: String, host: String? = "h") -> String {
        "GET \(target) HTTP/1.1\r\n\(host.map { "Host: \($0)\r\n" } ?? "")Connection: close\r\n\r\n"
    }

    @Test("on the port with TLS get a 400 that says so, and the connection closes")
    func refused() async throws {
        try await withServer("localhost", declare: { $0.get("/") { _ in .text("secret") } }) { port, _ in
            let response = try await response(port, get("/") + get("/"))
            #expect(response.hasPrefix("HTTP/1.1 400 ") && response.contains("use https"))
            #expect(!response.contains("secret") && response.split(separator: "HTTP/1.1").count == 1)
            let garbage = try await self.response(port, "\u{1}\u{2}\r\n\r\n")
            #expect(garbage.hasPrefix("HTTP/1.1 400 "))
        }
    }

    /// Runs an application with these arguments, which listens on one port with TLS and on one without.
    private func withApplication(
        _ arguments: String..., body: (_ secure: Int, _ plain: Int) async throws -> Void
    ) async throws {
        let app = App(
            configuration: try AppConfiguration.parse(
                arguments: [
                    "app", "--tls-certificate", Fixture.path("localhost.pem"), "--tls-key",
                    Fixture.path("localhost.key"), "--listen", "tls:127.0.0.1:0", "--listen", "127.0.0.1:0",
                    "--drain=0", "--log-level=error",
                ] + arguments, environment: [:]))
        app.tls()
        app.get("/{rest...}") { _ in .text("served") }
        let started = AsyncStream.makeStream(of: Void.self)
        app.background("start") { started.continuation.yield() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.serve() }
            for await _ in started.stream { break }
            let listening = app.listening
            let secure = try #require(listening.first(where: \.usesTLS)?.address.port)
            let plain = try #require(listening.first { !$0.usesTLS }?.address.port)
            try await body(secure, plain)
            group.cancelAll()
        }
    }

    @Test("on another port are served, unless they are redirected")
    func otherPort() async throws {
        try await withApplication { _, plain in
            let served = try await response(plain, get("/a"))
            #expect(served.hasSuffix("served"))
        }
        try await withApplication("--redirect-http") { secure, plain in
            func location(_ port: Int, _ request: String) async throws -> String? {
                let response = try await response(port, request)
                guard response.hasPrefix("HTTP/1.1 308 ") else { return response }
                return response.split(separator: "\r\n").first { $0.hasPrefix("Location: ") }.map(String.init)
            }
            let to = "Location: https://h:\(secure)"
            let expected = [
                (plain, get("/a%20b?c=/d", host: "h:\(plain)"), to + "/a%20b?c=/d"),
                (plain, get("http://h/x?y"), to + "/x?y"),
                (plain, get("/", host: "[::1]:1"), "Location: https://[::1]:\(secure)/"),
                (secure, get("//e.com", host: "h:\(secure)"), to + "//e.com"),
            ]
            for (port, request, value) in expected {
                let location = try await location(port, request)
                #expect(location == value)
            }
            let noHost = try await response(plain, "GET / HTTP/1.0\r\n\r\n")
            #expect(noHost.hasPrefix("HTTP/1.1 400 "))
        }
    }

    @Test("are redirected for the hosts of the application only")
    func hosts() async throws {
        try await withApplication("--redirect-http", "--hosts=h") { secure, plain in
            for port in [secure, plain] {
                let evil = try await response(port, get("/", host: "evil.example"))
                #expect(evil.hasPrefix("HTTP/1.1 421 "))
                let own = try await response(port, get("/"))
                #expect(own.hasPrefix("HTTP/1.1 308 "))
            }
        }
    }
}
