import HTTPKit
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import WSKit

/// A server on a free port with two event loops, for tests that need real sockets.
final class LiveServer: Sendable {
    let http: HTTPServer
    let port: Int

    /// The address of a path on it.
    func address(_ path: String = "/") -> String { "ws://127.0.0.1:\(port)\(path)" }

    private init(http: HTTPServer, port: Int) {
        self.http = http
        self.port = port
    }

    /// Serves the responses of `responder` while `test` runs.
    static func run(_ responder: @escaping Handler, test: (LiveServer) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = HTTPServer.Configuration()
        configuration.port = 0
        let http = HTTPServer(
            configuration: configuration, group: group, logger: .silent, responder: responder)
        let outcome: Result<Void, any Error>
        do {
            let port = try await http.start().port
            try await test(LiveServer(http: http, port: port ?? 0))
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await http.shutdown(within: .seconds(2))
        try await group.shutdownGracefully()
        try outcome.get()
    }

    /// Serves sockets with `handler`.
    static func run(
        rooms: Rooms? = nil, options: WebSocketOptions = WebSocketOptions(),
        socket handler: @escaping @Sendable (WebSocket) async throws -> Void,
        test: (LiveServer) async throws -> Void
    ) async throws {
        try await run({ try $0.accept(rooms: rooms, options: options, handler) }, test: test)
    }
}

extension Request {
    /// The response that upgrades this request to a socket for `handler`.
    func accept(
        rooms: Rooms? = nil, options: WebSocketOptions = WebSocketOptions(),
        _ handler: @escaping @Sendable (WebSocket) async throws -> Void
    ) throws -> Response {
        var request = self
        request[WebSocketDefaults.self] = WebSocketDefaults(rooms: rooms, logger: .silent)
        return try request.webSocketResponse(
            options: options, service: .closure { try await handler($0.openSocket()) })
    }
}

extension Logger {
    /// Logs nothing.
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// A clock that only moves by sleeping. Sleeps are recorded and return at once, or, if they are held, when they are
/// cancelled.
final class TestClock: Clock {
    struct Instant: InstantProtocol {
        let offset: Duration
        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State {
        var now = Instant(offset: .zero)
        var sleeps: [Duration] = []
    }

    private struct Endless: Error {}

    private let state = Mutex(State())
    /// The sleeps after that many return only when they are cancelled.
    private let heldAfter: Int
    /// Tells the test that a held sleep has begun.
    let held = AsyncStream.makeStream(of: Duration.self)

    init(heldAfter: Int = .max) { self.heldAfter = heldAfter }

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Duration { .zero }

    /// Lets time pass.
    func pass(_ duration: Duration) { state.withLock { $0.now = $0.now.advanced(by: duration) } }

    /// The duration of each sleep.
    var sleeps: [Duration] { state.withLock { $0.sleeps } }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let (count, duration) = state.withLock { state in
            let duration = state.now.duration(to: deadline)
            state.sleeps.append(duration)
            state.now = deadline
            return (state.sleeps.count, duration)
        }
        try Task.checkCancellation()
        // Otherwise a client that should have given up would continue forever.
        guard count <= 100 else { throw Endless() }
        guard count > heldAfter else { return }
        held.continuation.yield(duration)
        let never = AsyncStream<Void> { _ in }
        for await _ in never {}
        throw CancellationError()
    }
}
