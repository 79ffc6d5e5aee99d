import HTTPKit
import NIOCore
import NIOPosix
public import OnePort

/// How a test reaches its application.
public enum TestMode: Sendable, Hashable, CaseIterable {
    /// Over pairs of connected sockets: no port, no listener, all else as it is in earnest.
    case inMemory
    /// Over TCP, on a free port of 127.0.0.1.
    case live
}

extension App {
    /// The application's limits, but for the time that a request's head may take where that is the default: a busy
    /// machine may leave a test without a processor for longer.
    private var patientLimits: HTTPLimits {
        var limits = limits
        if limits.headTimeout == HTTPLimits().headTimeout { limits.headTimeout = .seconds(120) }
        return limits
    }

    /// Starts the application for the time of `body` and drains it afterwards.
    ///
    /// ```swift
    /// try await app.test { client in
    ///     #expect(try await client.get("/hello/ann").text == "Hello, ann!")
    ///     let socket = try await client.webSocket("/echo")
    ///     try await socket.send("x")
    ///     #expect(try await socket.texts.first { _ in true } == "x")
    /// }
    /// ```
    /// - Throws: what `body` throws, and what is wrong with the application's declarations.
    public func test(_ mode: TestMode = .inMemory, _ body: (TestClient) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server: HTTPServer
        do {
            server = try makeServer(group: group, host: "127.0.0.1", port: 0, limits: patientLimits)
        } catch {
            try await group.shutdownGracefully()
            throw error
        }
        do {
            let client: TestClient
            switch mode {
            case .inMemory: client = TestClient(server: server, group: group, address: nil)
            case .live: client = TestClient(server: server, group: group, address: try await server.start())
            }
            try await body(client)
        } catch {
            await server.shutdown(within: .seconds(2))
            try await group.shutdownGracefully()
            throw error
        }
        await server.shutdown(within: .seconds(2))
        try await group.shutdownGracefully()
    }
}
