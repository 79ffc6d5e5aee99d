import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("A client that goes away while its request is served", .timeLimit(.minutes(2)))
struct GoneClientTests {
    /// How the content is read.
    enum Reading: CaseIterable, Sendable { case piecewise, collected, trailers, elsewhere }

    /// How the client goes.
    enum Going: CaseIterable, Sendable { case ends, closes, resets }

    /// What became of a handler.
    private final class Outcome: Sendable {
        let began = AsyncStream.makeStream(of: Void.self)
        let ended = AsyncStream.makeStream(of: Result<Void, any Error>.self)

        func begin() { began.continuation.yield() }
        func end(_ error: (any Error)?) {
            ended.continuation.yield(error.map { .failure($0) } ?? .success(()))
        }
        func hasBegun() async { for await _ in began.stream { break } }
        /// Throws what the handler has thrown.
        func wait() async throws { for await result in ended.stream { return try result.get() } }
    }

    /// Everything of the connection is gone: the loops' count, and the descriptor.
    private func expectGone(_ server: LiveServer) async throws {
        try await waitUntil { await server.connections() == 0 }
        #if os(Linux)
            try await waitUntil { descriptors(at: server.port) == 0 }
        #endif
    }

    private static func read(_ reading: Reading, _ body: RequestBody, _ outcome: Outcome) async throws {
        switch reading {
        case .piecewise: for try await _ in body { outcome.begin() }
        case .collected:
            outcome.begin()
            _ = try await body.collect()
        case .trailers:
            outcome.begin()
            _ = try await body.trailers()
        case .elsewhere: try await Task.detached { for try await _ in body { outcome.begin() } }.value
        }
    }

    @Test(
        "RFC 9112 §8: a handler that reads its content learns that it is not whole, and the connection ends",
        arguments: Reading.allCases, Going.allCases)
    func body(_ reading: Reading, _ going: Going) async throws {
        for framing in ["Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n64\r\nabc"] {
            let outcome = Outcome()
            try await LiveServer.run { request in
                do {
                    try await Self.read(reading, request.body, outcome)
                    outcome.end(nil)
                } catch {
                    outcome.end(error)
                    throw error
                }
                return .text("whole")
            } test: { server in
                var client: LiveClient? = try await LiveClient(to: server)
                try await client?.send("POST / HTTP/1.1\r\nHost: h\r\n\(framing)")
                await outcome.hasBegun()
                switch going {
                case .ends:
                    client?.sendEnd()
                    #expect(try await client?.receiveAnswer().status == 400, "who is still there is told")
                    #expect(try await client?.receiveAll().isEmpty == true)
                case .closes: break
                case .resets: client?.resetAtEnd()
                }
                client = nil
                await #expect(throws: HTTPError.incompleteBody) { try await outcome.wait() }
                try await expectGone(server)
            }
        }
    }

    @Test(
        "a task of the handler that reads is cancelled: it ends at once, and what comes later is read by another",
        arguments: [true, false])
    func cancelledReader(isElsewhere: Bool) async throws {
        let outcome = Outcome()
        try await LiveServer.run { request in
            var rest = request.body.makeAsyncIterator()
            guard try await rest.next() != nil else { return .badRequest("no content") }
            let body = request.body
            let reading =
                isElsewhere ? Task.detached { try await body.collect() } : Task { try await body.collect() }
            // It has begun to wait when the stream says so.
            while await !body.isAwaited { await Task.yield() }
            reading.cancel()
            do { _ = try await reading.value } catch { outcome.end(error) }
            return .text(String(buffer: try await body.collect()))
        } test: { server in
            let client = try await LiveClient(to: server)
            try await client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
            await #expect(throws: CancellationError.self) { try await outcome.wait() }
            try await client.send("def")
            #expect(try await client.receiveAnswer().text == "def")
        }
    }

    @Test("a handler that waits for something else is cancelled when its connection is reset")
    func cancelled() async throws {
        let outcome = Outcome()
        try await LiveServer.run { _ in
            outcome.begin()
            // Nothing comes of it but the end, when the task is cancelled.
            let never = AsyncStream<Void> { _ in }
            for await _ in never {}
            outcome.end(Task.isCancelled ? CancellationError() : nil)
            return .text("")
        } test: { server in
            var client: LiveClient? = try await LiveClient(to: server)
            try await client?.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await outcome.hasBegun()
            client?.resetAtEnd()
            client = nil
            await #expect(throws: CancellationError.self) { try await outcome.wait() }
            try await expectGone(server)
        }
    }

    @Test("a handler that writes is told when nobody takes it any more", arguments: [Going.closes, .resets])
    func writer(_ going: Going) async throws {
        let outcome = Outcome()
        try await LiveServer.run { _ in
            .stream { writer in
                do {
                    while true {
                        try await writer.write(ByteBuffer(repeating: 0x78, count: 100_000))
                        outcome.begin()
                    }
                } catch {
                    outcome.end(error)
                    throw error
                }
            }
        } test: { server in
            var client: LiveClient? = try await LiveClient(to: server)
            try await client?.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await outcome.hasBegun()
            if going == .resets { client?.resetAtEnd() }
            client = nil
            await #expect(throws: CancellationError.self) { try await outcome.wait() }
            try await expectGone(server)
        }
    }

    /// What a handler waits for that its client does not see.
    enum Waiting: CaseIterable, Sendable { case sleep, childTask, stream, writer }

    private static func wait(_ waiting: Waiting, _ events: EventWriter) async throws {
        switch waiting {
        case .sleep: try await Task.sleep(for: .seconds(3600))
        case .childTask:
            async let slept: Void = Task.sleep(for: .seconds(3600))
            try await slept
        case .stream:
            let never = AsyncStream<Void> { _ in }
            for await _ in never {}
            try Task.checkCancellation()
        case .writer:
            while true {
                try await events.send(ServerSentEvent(data: String(repeating: "x", count: 100_000)))
            }
        }
    }

    @Test(
        "an event stream that sends nothing finds out by itself, and its handler is cancelled",
        arguments: Waiting.allCases, [Going.closes, .resets])
    func silentEvents(_ waiting: Waiting, _ going: Going) async throws {
        let outcome = Outcome()
        try await LiveServer.run { _ in
            .events { events in
                outcome.begin()
                do {
                    try await Self.wait(waiting, events)
                } catch {
                    outcome.end(error)
                    throw error
                }
            }
        } test: { server in
            var client: LiveClient? = try await LiveClient(to: server)
            try await client?.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            await outcome.hasBegun()
            let start = ContinuousClock.now
            if going == .resets { client?.resetAtEnd() }
            client = nil
            await #expect(throws: CancellationError.self) { try await outcome.wait() }
            try await expectGone(server)
            // The limit and two ticks of the loop's clock make less than 5 s; a busy machine takes longer than that.
            let ticks = Duration.seconds(1)
            #expect(HTTPLimits().halfClosedStreamTimeout + ticks < .seconds(5))
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }

    @Test("visitors that come and leave do not use up the connections, whatever they asked for")
    func visitors() async throws {
        try await LiveServer.run {
            $0.limits.maxConnections = 10
            $0.limits.halfClosedHandlerTimeout = .milliseconds(100)
            $0.limits.halfClosedStreamTimeout = .milliseconds(100)
        } _: { request in
            switch request.path {
            case "/events":
                return .events { _ in try await Task.sleep(for: .seconds(3600)) }
            case "/stream":
                return .stream { writer in
                    try await writer.flush()
                    try await Task.sleep(for: .seconds(3600))
                }
            case "/silent": try await Task.sleep(for: .seconds(3600))
            default: break
            }
            return .text("x")
        } test: { server in
            for path in ["/events", "/stream", "/silent"] {
                var clients: [LiveClient] = []
                for _ in 0..<10 {
                    let client = try await LiveClient(to: server)
                    // What stands behind the request that is served is dropped with it.
                    try await client.send(
                        String(repeating: "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n", count: 3))
                    clients.append(client)
                }
                try await waitUntil { await server.connections() == 10 }
                #expect(try await LiveClient(to: server).get("/").status == 503)
                clients = []
                try await expectGone(server)
                #expect(try await LiveClient(to: server).get("/").status == 200)
                try await expectGone(server)
            }
        }
    }
}

extension RequestBody {
    /// Whether a task waits for content.
    fileprivate var isAwaited: Bool {
        get async {
            guard case .stream(let stream) = storage else { return false }
            return stream.isAwaited
        }
    }
}
