import HTTPKit
import NIOCore
public import OnePort

/// How a test connects to its application.
public enum TestMode: Sendable, Hashable, CaseIterable {
    /// Over pairs of connected sockets, without a port and a listener. Everything else is as in production.
    case inMemory
    /// Over TCP, on a free port of 127.0.0.1.
    case live
}

extension App {
    /// The application's limits. If the head timeout is the default, it is raised to 120 s, because a busy machine may not
    /// schedule a test for longer than the default.
    private var testLimits: HTTPLimits {
        var limits = limits
        if limits.headTimeout == HTTPLimits().headTimeout { limits.headTimeout = .seconds(120) }
        return limits
    }

    /// Runs the application during `body` and shuts it down gracefully afterwards.
    ///
    /// ```swift
    /// try await app.test { client in
    ///     #expect(try await client.get("/hello/ann").text == "Hello, ann!")
    ///     let socket = try await client.webSocket("/echo")
    ///     try await socket.send("x")
    ///     #expect(try await socket.texts.first { _ in true } == "x")
    /// }
    /// ```
    /// When `body` returns, the client's connections are closed. Requests that are waiting or made later then throw
    /// `TestClientError.ended`, and sockets throw `WebSocketClosed`.
    ///
    /// - Throws: the error of `body`, or an error for an invalid declaration of the application.
    public func test(_ mode: TestMode = .inMemory, _ body: (TestClient) async throws -> Void) async throws {
        let group = EventLoopPool.shared.take(threads: 2)
        defer { EventLoopPool.shared.giveBack(group) }
        let server = try makeServer(group: group, host: "127.0.0.1", port: 0, limits: testLimits)
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
