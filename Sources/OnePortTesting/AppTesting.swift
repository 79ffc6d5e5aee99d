import HTTPKit
import NIOCore
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
    /// With the end of `body` the client's connections end: a request that is made or still waits then throws
    /// `TestClientError.ended`, and a socket throws `WebSocketClosed`.
    ///
    /// - Throws: what `body` throws, and what is wrong with the application's declarations.
    public func test(_ mode: TestMode = .inMemory, _ body: (TestClient) async throws -> Void) async throws {
        let group = EventLoopPool.shared.take(threads: 2)
        defer { EventLoopPool.shared.giveBack(group) }
        let server = try makeServer(group: group, host: "127.0.0.1", port: 0, limits: patientLimits)
        let client = TestClient(
            server: server, group: group, address: mode == .live ? try await server.start() : nil)
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(client))
        } catch {
            outcome = .failure(error)
        }
        await client.session.end { await server.shutdown(within: .seconds(2)) }
        try outcome.get()
    }
}
