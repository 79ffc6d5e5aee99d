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

@Suite("Listening on Unix domain sockets", .timeLimit(.minutes(2)))
struct UnixListenerTests {
    private static let request = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    /// Listens on `listeners`, which get the path of a socket in a new folder, while `test` runs.
    private func run(
        _ listeners: (String) -> [HTTPListener],
        isTrustedProxy: (@Sendable (SocketAddress) -> Bool)? = nil,
        prepare: (String) throws -> Void = { _ in }, handler: @escaping Handler = { .text($0.path) },
        test: (LiveServer, String) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/app.sock"
        try prepare(path)
        try await LiveServer.run(
            configure: {
                $0.listeners = [HTTPListener(.hostname("127.0.0.1", port: 0))] + listeners(path)
                $0.isTrustedProxy = isTrustedProxy
            }, handler
        ) { server in try await test(server, path) }
        #expect(UnixSocket.mode(folder.path + "/app.sock") == nil, "the file is removed")
    }

    private func ask(_ path: String) async throws -> (error: CInt, response: String) {
        try await NIOThreadPool.singleton.runIfActive { try UnixSocket.request(path, Self.request) }
    }

    @Test("a socket and a port are served at once, and the file is removed at the end")
    func both() async throws {
        try await run {
            [HTTPListener(.unix(path: $0))]
        } test: { server, path in
            #expect(server.http.addresses.map(\.pathname) == [nil, path])
            let (socket, port) = try await (ask(path).response, LiveClient(to: server).get("/y").text)
            #expect(socket.hasSuffix("/x") && port == "/y")
        }
    }

    @Test("the file has the mode that was asked for", arguments: [0o600, 0o660, 0o666] as [UInt16])
    func mode(mode: UInt16) async throws {
        try await run {
            [HTTPListener(.unix(path: $0, mode: mode))]
        } test: { _, path in
            let facts = try #require(UnixSocket.mode(path))
            let error = try await ask(path).error
            #expect(facts & 0o777 == mode_t(mode) && facts & S_IFMT == S_IFSOCK && error == 0)
        }
    }

    @Test("a file that nobody listens on is replaced")
    func stale() async throws {
        try await run {
            [HTTPListener(.unix(path: $0))]
        } prepare: {
            let isStale = try UnixSocket.leaveStale($0)
            let error = try UnixSocket.request($0, "").error
            #expect(isStale && error == ECONNREFUSED)
        } test: { _, path in
            let response = try await ask(path).response
            #expect(response.hasSuffix("/x"))
        }
    }

    @Test("a socket on which somebody listens is respected, and what was bound before is given up")
    func live() async throws {
        try await run {
            [HTTPListener(.unix(path: $0))]
        } test: { server, path in
            let other = path + "2"
            var configuration = HTTPServer.Configuration()
            configuration.listeners = [HTTPListener(.unix(path: other)), HTTPListener(.unix(path: path))]
            let second = HTTPServer(configuration: configuration) { _ in .text("second") }
            let error = await #expect(throws: BindError.self) { try await second.start() }
            #expect(error?.errorNumber == EADDRINUSE && error?.address == .unix(path: path))
            let response = try await ask(path).response
            #expect(UnixSocket.mode(other) == nil && response.hasSuffix("/x"))
        }
    }

    @Test("a file that is not a socket stays, and so does a socket that another server has put there")
    func foreign() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/app.sock"
        try folder.write("app.sock", "precious")
        var configuration = HTTPServer.Configuration()
        configuration.listeners = [HTTPListener(.unix(path: path))]
        let server = HTTPServer(configuration: configuration) { _ in .text("x") }
        let error = await #expect(throws: BindError.self) { try await server.start() }
        #expect(error?.errorNumber == EEXIST)
        #expect(UnixSocket.mode(path).map { $0 & S_IFMT } == S_IFREG)
        unlink(path)
        try await server.start()
        // Somebody removes the file by hand and starts another server.
        rename(path, path + ".old")
        let successor = HTTPServer(configuration: configuration) { _ in .text("successor") }
        try await successor.start()
        await server.shutdown(within: .seconds(1))
        #expect(try await ask(path).response.hasSuffix("successor"))
        await successor.shutdown(within: .seconds(1))
        #expect(UnixSocket.mode(folder.path + "/app.sock") == nil)
    }

    @Test("a folder that does not exist is an error that says so")
    func noFolder() async throws {
        var configuration = HTTPServer.Configuration()
        configuration.listeners = [HTTPListener(.unix(path: "/no/such/folder/app.sock"))]
        let server = HTTPServer(configuration: configuration) { _ in .text("x") }
        let error = await #expect(throws: BindError.self) { try await server.start() }
        #expect(error.map { "\($0)" }?.has("the folder of the socket does not exist") == true)
    }

    @Test("of two servers that start at once, one listens", arguments: [false, true])
    func race(isStale: Bool) async throws {
        for _ in 0..<20 {
            let folder = try TemporaryFolder()
            let path = folder.path + "/app.sock"
            if isStale { #expect(try UnixSocket.leaveStale(path)) }
            let made = await withTaskGroup(of: (CInt, UnixSocketFile)?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try? await NIOThreadPool.singleton.runIfActive {
                            try UnixSocketFile.listen(at: path, mode: 0o600, backlog: 1)
                        }
                    }
                }
                var all: [(CInt, UnixSocketFile)] = []
                for await one in group { if let one { all.append(one) } }
                return all
            }
            #expect(made.count == 1)
            for (descriptor, file) in made {
                file.remove()
                close(descriptor)
            }
            #expect(UnixSocket.mode(folder.path + "/app.sock") == nil)
        }
    }

    @Test("the peer is a Unix address, which no limit of an address counts")
    func peer() async throws {
        try await run {
            [HTTPListener(.unix(path: $0))]
        } handler: { request in
            .text("\(request.remoteAddress.map { $0.ipAddress == nil } as Bool?) \(request.scheme)")
        } test: { server, path in
            #expect(try await ask(path).response.hasSuffix("Optional(true) http"))
            let address = try SocketAddress(unixDomainSocketPath: path)
            let limits = HTTPLimits()
            let admissions = (0...limits.maxConnectionsPerAddress).map { _ in
                server.http.context.connectionOpened(from: address)
            }
            #expect(admissions.allSatisfy { $0.refusal == nil })
            for admission in admissions { server.http.context.connectionClosed(admission) }
        }
    }

    @Test("a peer over a Unix socket can be a trusted proxy, with its headers and with the PROXY protocol")
    func proxy() async throws {
        let isTrusted: @Sendable (SocketAddress) -> Bool = { address in
            if case .unixDomainSocket = address { true } else { false }
        }
        let client: Handler = { .text("\($0.clientAddress?.ipAddress ?? "none") \($0.scheme)") }
        let forwarded =
            "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n"
        try await run(
            {
                [
                    HTTPListener(.unix(path: $0)),
                    HTTPListener(.unix(path: $0 + "p"), proxyProtocol: .required),
                ]
            },
            isTrustedProxy: isTrusted, handler: client
        ) { server, path in
            let headers = try await NIOThreadPool.singleton.runIfActive {
                try UnixSocket.request(path, forwarded)
            }
            #expect(headers.response.hasSuffix("192.0.2.1 https"))
            let header = try await NIOThreadPool.singleton.runIfActive {
                try UnixSocket.request(path + "p", "PROXY TCP4 192.0.2.7 192.0.2.2 1 2\r\n" + Self.request)
            }
            #expect(header.response.hasSuffix("192.0.2.7 http"))
            // The port is not trusted.
            let other = try await LiveClient(to: server)
            try await other.send(forwarded)
            #expect(try await other.receiveAnswer().text == "127.0.0.1 http")
        }
    }
}

@Suite("Listening on sockets that were passed", .timeLimit(.minutes(2)))
struct PassedSocketTests {
    private func start(_ descriptor: CInt) async throws -> HTTPServer {
        var configuration = HTTPServer.Configuration()
        configuration.listeners = [HTTPListener(.inherited(descriptor: descriptor))]
        let server = HTTPServer(configuration: configuration) { _ in .text("passed") }
        try await server.start()
        return server
    }

    @Test("a bound socket is served, and its file stays")
    func passed() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/app.sock"
        let made = UnixSocket.make()
        #expect(try UnixSocket.call(path) { bind(made, $0, $1) } == 0)
        let server = try await start(made)
        #expect(server.addresses.first?.pathname == path)
        let answer = try await NIOThreadPool.singleton.runIfActive {
            try UnixSocket.request(path, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        }
        #expect(answer.response.hasSuffix("passed"))
        await server.shutdown(within: .seconds(1))
        #expect(UnixSocket.mode(folder.path + "/app.sock") != nil)
    }

    @Test("what is not a stream socket, or is a connection, is an error")
    func invalid() async throws {
        var pair: [CInt] = [-1, -1]
        #if canImport(Glibc)
            let (stream, datagram) = (CInt(SOCK_STREAM.rawValue), CInt(SOCK_DGRAM.rawValue))
        #else
            let (stream, datagram) = (SOCK_STREAM, SOCK_DGRAM)
        #endif
        try #require(socketpair(AF_UNIX, stream, 0, &pair) == 0)
        let file = open("/dev/null", O_RDONLY)
        let packets = socket(AF_INET, datagram, 0)
        defer { for descriptor in pair + [file, packets] { close(descriptor) } }
        for (descriptor, number) in [
            (pair[0], EISCONN), (file, ENOTSOCK), (packets, ENOTSOCK), (9999, EBADF),
        ] {
            let error = await #expect(throws: BindError.self) { try await start(descriptor) }
            #expect(error?.errorNumber == number)
        }
    }
}
