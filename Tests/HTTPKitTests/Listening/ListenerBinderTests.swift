import HTTPTypes
import NIOCore
import NIOPosix
import Testing

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Listening on hosts and ports", .timeLimit(.minutes(2)))
struct ListenerBinderTests {
    @Test("RFC 6761 §6.3: localhost is both loopback addresses, on one port")
    func localhost() async throws {
        for host in ["localhost", "LOCALHOST", "localhost."] {
            let known = HostLookup.knownAddresses(host, port: 81)
            #expect(
                known?.map { $0.ipAddress } == ["127.0.0.1", "::1"] && known?.map { $0.port } == [81, 81])
        }
        #expect(HostLookup.knownAddresses("::1", port: 0)?.count == 1)
        #expect(HostLookup.knownAddresses("example.org", port: 0) == nil)
        try await LiveServer.run(configure: { $0.host = "localhost" }) {
            .text($0.path)
        } test: { server in
            #expect(Set(server.http.addresses.compactMap(\.port)) == [server.port])
            for address in server.http.addresses {
                let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                    .connect(to: address).get()
                try await channel.close()
            }
        }
    }

    @Test("An address that the machine does not have is left out, unless it is the only one")
    func missingAddress() async throws {
        var configuration = HTTPServer.Configuration()
        configuration.port = 0
        let server = HTTPServer(configuration: configuration) { _ in .text("x") }
        let here = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let elsewhere = try SocketAddress(ipAddress: "192.0.2.1", port: 0)
        let listener = HTTPListener(.hostname("h", port: 0))
        let listeners = try await server.binder(on: server.group).bind(
            listener, to: [elsewhere, here], port: 0)
        #expect(listeners.compactMap { $0.address?.ipAddress } == ["127.0.0.1"])
        for listener in listeners { await listener.close() }
        await #expect(throws: IOError.self) {
            try await server.binder(on: server.group).bind(listener, to: [elsewhere], port: 0)
        }
    }

    @Test("A port that is taken at one of the addresses is an error, and nothing is left listening")
    func takenAtOne() async throws {
        let other = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.2", port: 0).get()
        let port = try #require(other.localAddress?.port)
        var configuration = HTTPServer.Configuration()
        configuration.port = port
        let server = HTTPServer(configuration: configuration) { _ in .text("x") }
        let addresses = try ["127.0.0.1", "127.0.0.2"].map { try SocketAddress(ipAddress: $0, port: port) }
        let listener = HTTPListener(.hostname("h", port: port))
        await #expect(throws: IOError.self) {
            try await server.binder(on: server.group).bind(listener, to: addresses, port: port)
        }
        try await other.close()
        for bound in try await server.binder(on: server.group).bind(listener, to: addresses, port: port) {
            await bound.close()
        }
    }

    @Test("A name without an address cannot be listened on")
    func unknownName() async throws {
        var configuration = HTTPServer.Configuration()
        configuration.host = "no such name"
        let server = HTTPServer(configuration: configuration) { _ in .text("x") }
        let error = await #expect(throws: BindError.self) { try await server.start() }
        #expect(error.map { "\($0)" }?.has("the name has no address") == true)
    }

    @Test("Why a server cannot listen is said once, without the settings of an application")
    func bindErrors() {
        func text(_ code: CInt, _ address: BindAddress = .hostname("h", port: 80)) -> String {
            let error = IOError(errnoCode: code, reason: "bind(descriptor:ptr:bytes:)")
            return "\(BindError(address: address, underlying: error))"
        }
        #expect(
            text(EADDRINUSE, .hostname("::1", port: 80))
                == "cannot listen on [::1]:80: Address already in use: another program has this port")
        #expect(text(EACCES).hasPrefix("cannot listen on h:80: Permission denied: ports below 1024"))
        #expect(text(EADDRNOTAVAIL).has("no such address"))
        #expect(text(ENOBUFS) == "cannot listen on h:80: No buffer space available")
        #expect(
            text(EADDRINUSE, .unix(path: "/run/x"))
                == "cannot listen on unix:/run/x: Address already in use: another program listens there")
        #expect(text(EACCES, .unix(path: "/run/x")).has("folder"))
        #expect(
            text(EBADF, .inherited(descriptor: 3)).hasPrefix("cannot listen on fd:3: Bad file descriptor: "))
    }
}
