import HTTPKit
import NIOCore
import NIOPosix
import Testing

@testable import OnePort

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("--listen", .timeLimit(.minutes(2)))
struct ListenTests {
    private func parse(
        _ arguments: [String], _ environment: [String: String] = [:], defaults: [String: String] = [:]
    ) throws(ConfigurationError) -> AppConfiguration {
        try AppConfiguration.parse(
            arguments: ["app"] + arguments, environment: environment, defaults: defaults)
    }

    private func addresses(_ arguments: [String], _ environment: [String: String] = [:]) throws -> [String] {
        try parse(arguments, environment).listeners.map(\.address.description)
    }

    @Test("may be repeated, and white space separates several")
    func several() throws {
        #expect(try addresses([]) == [])
        #expect(try addresses(["--listen", "127.0.0.1:1"]) == ["127.0.0.1:1"])
        let both = ["127.0.0.1:8080", "unix:/run/app.sock,mode=660"]
        #expect(try addresses(["--listen", both[0], "--listen=" + both[1]]) == both)
        #expect(try addresses(["--listen", both.joined(separator: " ")]) == both)
        #expect(try addresses([], ["ONEPORT_LISTEN": both.joined(separator: "\n")]) == both)
        #expect(try parse(["--listen", "fd:3"]).list("listen") == ["fd:3"])
    }

    @Test("replaces the default host and port, and stands beside those that are set")
    func besidePort() throws {
        let listen = ["--listen", "unix:/run/app.sock"]
        #expect(try addresses(listen) == ["unix:/run/app.sock"])
        #expect(try addresses(listen + ["--port", "81"]) == ["127.0.0.1:81", "unix:/run/app.sock"])
        #expect(try addresses(listen + ["--host=::1"]) == ["[::1]:8080", "unix:/run/app.sock"])
        #expect(try addresses(listen, ["PORT": "82"]) == ["127.0.0.1:82", "unix:/run/app.sock"])
        let parsed = try parse(listen, defaults: ["port": "83"])
        #expect(parsed.listeners.map(\.address) == [.unix(path: "/run/app.sock")] && parsed.port == 83)
    }

    @Test("follows --proxy-protocol")
    func proxyProtocol() throws {
        let parsed = try parse([
            "--port=1", "--listen=unix:/x", "--proxy-protocol=required", "--trusted-proxies=unix",
        ])
        #expect(parsed.listeners.map(\.proxyProtocol) == [.required, .required])
    }

    @Test("an invalid address is an error that names it and what is wrong with it")
    func invalid() {
        let error = #expect(throws: ConfigurationError.self) {
            try parse(["--listen", "127.0.0.1:1", "--listen", "127.0.0.1"])
        }
        #expect(
            error.map { "\($0)" }?.hasSuffix("\"127.0.0.1\" has no port, as in 127.0.0.1:8080") == true)
        #expect(throws: ConfigurationError.repeatedFlag("port")) { try parse(["--port=1", "--port=2"]) }
    }

    @Test("an application listens on all of them, and says where")
    func application() async throws {
        let app = App(configuration: try parse(["--listen", "127.0.0.1:0 127.0.0.1:0"]))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try app.makeServer(group: group)
        try await server.start()
        let lines = server.listening.map { App.url(of: $0.address, usesTLS: $0.usesTLS) }
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("http://127.0.0.1:") })
        await server.shutdown(within: .seconds(1))
        try await group.shutdownGracefully()
        #expect(App.url(of: try SocketAddress(ipAddress: "::1", port: 80)) == "http://[::1]:80")
        #expect(App.url(of: try SocketAddress(unixDomainSocketPath: "/run/x")) == "unix:/run/x")
        let secure = try SocketAddress(ipAddress: "::1", port: 443)
        #expect(App.url(of: secure, usesTLS: true) == "https://[::1]:443")
        let file = try SocketAddress(unixDomainSocketPath: "/run/x")
        #expect(App.url(of: file, usesTLS: true) == "tls:unix:/run/x")
    }

    @Test("an application says which settings choose another address")
    func advice() {
        func advice(_ code: CInt, _ address: BindAddress) -> String? {
            BindError(address: address, underlying: IOError(errnoCode: code, reason: "bind")).advice
        }
        let host = BindAddress.hostname("h", port: 80)
        #expect(advice(EADDRINUSE, host)?.contains("--port") == true)
        #expect(advice(EACCES, host)?.contains("--port") == true)
        #expect(advice(EADDRNOTAVAIL, host)?.contains("--host") == true)
        #expect(advice(ENOBUFS, host) == nil)
        #expect(advice(EADDRINUSE, .unix(path: "/x"))?.contains("--listen") == true)
    }

    @Test("the peers of Unix sockets are trusted as unix, and belong to no range of IP addresses")
    func trust() throws {
        let peer = try SocketAddress(unixDomainSocketPath: "/run/nginx")
        let unix = try #require(AddressRange("unix"))
        #expect(unix.contains(peer) && unix.description == "unix")
        #expect(!unix.contains(try SocketAddress(ipAddress: "127.0.0.1", port: 1)) && !unix.contains("::1"))
        #expect(AddressRange("0.0.0.0/0")?.contains(peer) == false)
        #expect(AddressRange("::/0")?.contains(peer) == false)
        #expect(AddressRange("unix/0") == nil && AddressRange("Unix") == nil)
        #expect(try parse(["--trusted-proxies", "10.0.0.0/8,unix"]).trustedProxies.contains(unix))
    }
}
