import HTTPKit
import NIOCore
import NIOPosix
import OnePort
import OnePortTesting
import Testing
import WSKit

@Suite("The test client", .timeLimit(.minutes(2)))
struct TestClientTests {
    private func app() -> App {
        let app = App(configuration: AppConfiguration())
        app.get("/hello") { _ in .text("hello") }
        app.get("/endless") { _ in
            try await Task.sleep(for: .seconds(3600))
            return .text("late")
        }
        app.webSocket("/echo") { socket in
            for try await message in socket.messages { try await socket.send(message) }
        }
        return app
    }

    @Test("Using a client or socket after the test has returned fails at once", arguments: TestMode.allCases)
    func usedAfterTheEnd(mode: TestMode) async throws {
        var kept: (client: TestClient, socket: WebSocket)?
        try await app().test(mode) { client in
            kept = (client, try await client.webSocket("/echo"))
        }
        let (client, socket) = try #require(kept)
        await #expect(throws: TestClientError.ended) { try await client.get("/hello") }
        await #expect(throws: TestClientError.ended) { try await client.exchange(ByteBuffer()) }
        await #expect(throws: TestClientError.ended) { try await client.webSocket("/echo") }
        await #expect(throws: WebSocketClosed.self) { try await socket.send("x") }
        await #expect(throws: WebSocketClosed.self) { try await socket.ping() }
        await #expect(throws: WebSocketClosed.self) {
            try await socket.sendStream(.text) { _ in }
        }
        #expect(try await socket.messages.first { _ in true } == nil)
        #expect(socket.trySend(Message(text: "x")) == .closed)
        await socket.close()
        #expect(await socket.closeReason != nil)
    }

    @Test("Waiting requests and sockets fail when the test returns", arguments: TestMode.allCases)
    func waitsAtTheEnd(mode: TestMode) async throws {
        let (steps, step) = AsyncStream.makeStream(of: Void.self)
        let app = app()
        app.get("/begun") { _ in
            step.yield()
            try await Task.sleep(for: .seconds(3600))
            return .text("late")
        }
        var request: Task<TestResponse, any Error>?
        var reader: Task<Message?, any Error>?
        try await app.test(mode) { client in
            let socket = try await client.webSocket("/echo")
            request = Task { try await client.get("/begun") }
            reader = Task { try await socket.messages.first { _ in true } }
            for await _ in steps { break }
        }
        await #expect(throws: TestClientError.ended) { try await request?.value }
        #expect(try await reader?.value == nil)
    }

    @Test("The server's side of a socket that is still referenced is closed")
    func serverSide() async throws {
        let (sockets, opened) = AsyncStream.makeStream(of: WebSocket.self)
        let app = App(configuration: AppConfiguration())
        app.webSocket("/kept") { socket in
            opened.yield(socket)
            for try await _ in socket.messages {}
        }
        var kept: WebSocket?
        try await app.test { client in
            _ = try await client.webSocket("/kept")
            for await socket in sockets {
                kept = socket
                break
            }
        }
        let socket = try #require(kept)
        await #expect(throws: WebSocketClosed.self) { try await socket.send("x") }
        #expect(await socket.closeReason != nil)
    }

    @Test("A response that is too large is an error and is not buffered")
    func tooLarge() async throws {
        let app = App(configuration: AppConfiguration())
        app.get("/endless") { _ in
            .stream { writer in
                while true { try await writer.write(ByteBuffer(repeating: 0, count: 10_000)) }
            }
        }
        try await app.test { client in
            var client = client
            client.maxResponseSize = 100_000
            await #expect(throws: TestClientError.tooLarge(limit: 100_000)) {
                try await client.get("/endless")
            }
        }
    }

    @Test("Event loops are reused, but not while something holds them")
    func loopPool() async throws {
        let pool = EventLoopPool()
        let group = pool.take(threads: 1)
        pool.giveBack(group)
        try await group.next().submit {}.get()
        while pool.count == 0 { await Task.yield() }
        #expect(pool.take(threads: 2) !== group)
        #expect(pool.take(threads: 1) === group)
        #expect(pool.count == 0)
    }
}
