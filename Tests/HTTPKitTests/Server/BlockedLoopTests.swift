import Dispatch
import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

/// A place where threads are held until the test lets them go.
private final class Barrier: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let arrived = AsyncStream.makeStream(of: Void.self)

    /// Holds the thread.
    func hold() {
        arrived.continuation.yield()
        semaphore.wait()
    }

    /// Returns when a thread is held.
    func isHolding() async { for await _ in arrived.stream { break } }

    /// Lets one thread go, which may come only later.
    func release() { semaphore.signal() }
}

@Suite("Handlers that block", .serialized, .timeLimit(.minutes(2)))
struct BlockedLoopTests {
    private func respond(to request: Request, _ barrier: Barrier) async throws -> Response {
        switch request.path {
        case "/block":
            barrier.hold()
            return .text("let go")
        case "/offload":
            try await offload { barrier.hold() }
            return .text("let go")
        default:
            return .text("\(ObjectIdentifier(request.connection.loop))")
        }
    }

    /// Clients on each of the two loops, two of each.
    private func clients(of server: LiveServer) async throws -> [[LiveClient]] {
        var clients: [String: [LiveClient]] = [:]
        for _ in 0..<4 {
            let client = try await LiveClient(to: server)
            clients[try await client.get("/loop").text, default: []].append(client)
        }
        #expect(clients.count == 2 && clients.values.allSatisfy { $0.count == 2 })
        return Array(clients.values)
    }

    @Test("a handler that blocks its loop delays nobody on the other", arguments: [0, 1])
    func block(blocked: Int) async throws {
        let barrier = Barrier()
        try await LiveServer.run {
            try await respond(to: $0, barrier)
        } test: { server in
            // Whatever fails, the loop must be let go for the server to end.
            defer { barrier.release() }
            let clients = try await clients(of: server)
            let others = clients[1 - blocked]
            try await clients[blocked][0].send("GET /block HTTP/1.1\r\nHost: h\r\n\r\n")
            await barrier.isHolding()
            for round in 0..<50 {
                #expect(try await others[round % 2].get("/loop").status == 200)
            }
            barrier.release()
            #expect(try await clients[blocked][0].receiveAnswer().text == "let go")
            #expect(try await clients[blocked][1].get("/loop").status == 200, "and it goes on itself")
        }
    }

    @Test("new connections are served while a loop is blocked, and go to both when it is free")
    func newConnections() async throws {
        let barrier = Barrier()
        try await LiveServer.run {
            try await respond(to: $0, barrier)
        } test: { server in
            defer { barrier.release() }
            let blocker = try await LiveClient(to: server)
            let blocked = try await blocker.get("/loop").text
            try await blocker.send("GET /block HTTP/1.1\r\nHost: h\r\n\r\n")
            await barrier.isHolding()
            // More than there are loops, so that the blocked one would have its turn.
            for _ in 0..<20 {
                let loop = try await LiveClient(to: server).get("/loop").text
                #expect(loop != blocked)
            }
            barrier.release()
            #expect(try await blocker.receiveAnswer().text == "let go")
            try await waitUntil { await server.connections() == 1 }
            let clients = try await self.clients(of: server, count: 12, besides: [blocker])
            #expect(clients.count == 2 && clients.values.allSatisfy { $0 >= 5 })
        }
    }

    @Test("a server with one loop serves what came while it was blocked")
    func oneLoop() async throws {
        let barrier = Barrier()
        try await LiveServer.run(threads: 1) {
            try await respond(to: $0, barrier)
        } test: { server in
            defer { barrier.release() }
            let blocker = try await LiveClient(to: server)
            try await blocker.send("GET /block HTTP/1.1\r\nHost: h\r\n\r\n")
            await barrier.isHolding()
            let next = try await LiveClient(to: server)
            try await next.send("GET /loop HTTP/1.1\r\nHost: h\r\n\r\n")
            barrier.release()
            let answers = try await [blocker.receiveAnswer().status, next.receiveAnswer().status]
            #expect(answers == [200, 200])
        }
    }

    /// How many of `count` new connections each loop has, while all of them are open.
    private func clients(
        of server: LiveServer, count: Int, besides others: [LiveClient]
    ) async throws -> [String: Int] {
        var open = others
        var counts: [String: Int] = [:]
        for _ in 0..<count {
            let client = try await LiveClient(to: server)
            counts[try await client.get("/loop").text, default: 0] += 1
            open.append(client)
        }
        return withExtendedLifetime(open) { counts }
    }

    @Test("what is moved off with offload delays nobody, on its own loop neither", arguments: [0, 1])
    func moved(blocked: Int) async throws {
        let barrier = Barrier()
        try await LiveServer.run {
            try await respond(to: $0, barrier)
        } test: { server in
            defer { barrier.release() }
            let clients = try await clients(of: server)
            try await clients[blocked][0].send("GET /offload HTTP/1.1\r\nHost: h\r\n\r\n")
            await barrier.isHolding()
            for round in 0..<50 {
                #expect(try await clients[blocked][1].get("/loop").status == 200)
                #expect(try await clients[1 - blocked][round % 2].get("/loop").status == 200)
            }
            barrier.release()
            #expect(try await clients[blocked][0].receiveAnswer().text == "let go")
            #expect(try await clients[blocked][0].get("/loop").status == 200)
        }
    }
}
