import FoundationEssentials
import GRDB
import NIOCore
import Testing
import WSKit

import struct HTTPKit.ClientNetwork

@testable import ChatApp

/// A client that records the messages that it receives.
private actor Client: ClientConnection {
    nonisolated let id = UUID()
    nonisolated let origin: ChatApp.Origin
    private(set) var received: [ServerMessage] = []
    private(set) var isEnded = false
    private var watchers: [CheckedContinuation<Void, Never>] = []

    init(origin: ChatApp.Origin? = nil) { self.origin = origin ?? .connection(id) }

    func send(_ message: ServerMessage) { received.append(message) }

    func end() {
        isEnded = true
        for watcher in watchers { watcher.resume() }
        watchers = []
    }

    func ended() async {
        if !isEnded { await withCheckedContinuation { watchers.append($0) } }
    }

    /// The messages received since the last call.
    func news() -> [ServerMessage] {
        defer { received = [] }
        return received
    }
}

/// Rooms in an array.
private actor ArrayBroadcaster: Broadcaster {
    private var connections: [(room: RoomName, connection: any ClientConnection)] = []

    func add(_ connection: any ClientConnection, to room: RoomName) { connections.append((room, connection)) }

    func remove(_ connection: any ClientConnection, from room: RoomName) {
        connections.removeAll { $0.room == room && $0.connection.id == connection.id }
    }

    func publish(_ message: ServerMessage, in room: RoomName, except connection: (any ClientConnection)?)
        async
    {
        for entry in connections where entry.room == room && entry.connection.id != connection?.id {
            try? await entry.connection.send(message)
        }
    }
}

@Suite("Sessions in a room")
struct ClientSessionTests {
    private let registry: RoomRegistry
    private let start = ContinuousClock.now

    init() throws {
        registry = RoomRegistry(history: try .inMemory(), broadcaster: ArrayBroadcaster())
    }

    private func session(_ room: String = "lobby") -> (ClientSession, Client) {
        let client = Client()
        return (ClientSession(room: room, connection: client, registry: registry), client)
    }

    private func join(
        _ name: String, _ room: String = "lobby", after: Int64? = nil, token: String? = nil
    ) async throws -> (ClientSession, Client, ServerMessage.Welcome) {
        var (session, client) = session(room)
        let json = try ClientMessage.join(.init(name: name, after: after, token: token)).json()
        try await session.receive(json, at: start, time: 1)
        guard case .welcome(let welcome)? = await client.news().last else {
            throw ChatError(.failed, "\(name) was not let in")
        }
        return (session, client, welcome)
    }

    private func say(_ text: String, ref: String? = nil) throws -> String {
        try ClientMessage.say(.init(text: text, ref: ref)).json()
    }

    @Test("A message reaches everybody in the room, including its sender, and nobody in other rooms")
    func saying() async throws {
        var (ann, annsConnection, _) = try await join("ann")
        let (_, bobsConnection, welcome) = try await join("bob")
        let (_, otherConnection, _) = try await join("cy", "elsewhere")
        #expect(welcome.here == ["ann", "bob"])
        #expect(await annsConnection.news() == [.joined(name: "bob")])
        try await ann.receive(say("hi", ref: "r"), at: start, time: 77)
        let said = ServerMessage.said(ChatMessage(id: 1, name: "ann", text: "hi", time: 77, ref: "r"))
        #expect(await annsConnection.news() == [said])
        #expect(await bobsConnection.news() == [said])
        #expect(await otherConnection.news() == [])
    }

    @Test("A new client gets the history, a returning client the messages that it missed")
    func history() async throws {
        var (ann, _, _) = try await join("ann")
        for number in 1...3 { try await ann.receive(say("\(number)"), at: start, time: 1) }
        let (_, _, fresh) = try await join("bob")
        #expect(fresh.history == .recent)
        #expect(fresh.messages.map(\.text) == ["1", "2", "3"])
        let (_, _, back) = try await join("cy", after: 2)
        #expect(back.history == .missed)
        #expect(back.messages.map(\.text) == ["3"])
    }

    @Test("A message sent again with the same ref is stored once and sent to its sender only")
    func again() async throws {
        var (ann, annsConnection, _) = try await join("ann")
        let (_, bobsConnection, _) = try await join("bob")
        _ = await annsConnection.news()
        try await ann.receive(say("hi", ref: "r"), at: start, time: 1)
        try await ann.receive(say("hi", ref: "r"), at: start, time: 2)
        #expect(await annsConnection.news().count == 2)
        #expect(await bobsConnection.news().count == 1)
    }

    @Test("A name that is taken is rejected, and the same socket may try another")
    func taken() async throws {
        _ = try await join("ann")
        var (session, client) = session()
        try await session.receive(#"{"kind":"join","name":"ANN"}"#, at: start, time: 1)
        guard case .error(let error)? = await client.news().last else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .nameTaken)
        try await session.receive(#"{"kind":"join","name":"bob"}"#, at: start, time: 1)
        guard case .welcome(let welcome)? = await client.news().last else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.here == ["ann", "bob"])
    }

    @Test("An invalid room is reported when somebody tries to join", arguments: ["", "a b", "../x", "é"])
    func badRoom(path: String) async throws {
        var (session, client) = session(path)
        try await session.receive(#"{"kind":"join","name":"ann"}"#, at: start, time: 1)
        guard case .error(let error)? = await client.news().last else {
            Issue.record("no error")
            return
        }
        #expect(error.field == "room")
        #expect(await registry.count == 0)
    }

    @Test(
        "After a takeover, nobody sees the person leave, and the old socket is closed and may not send messages"
    )
    func takeover() async throws {
        var (old, oldConnection, first) = try await join("ann")
        let (_, bobsConnection, _) = try await join("bob")
        _ = await oldConnection.news()
        let (_, _, second) = try await join("ann", token: first.token)
        #expect(second.here == ["ann", "bob"])
        #expect(second.token != first.token)
        await oldConnection.ended()
        #expect(await oldConnection.news() == [.error(.sessionReplaced)])
        try await old.receive(say("still me"), at: start, time: 1)
        #expect(await oldConnection.news() == [.error(.sessionReplaced)])
        await old.end()
        #expect(await bobsConnection.news() == [])
    }

    @Test("Leaving is published once, and the room ends with its last connection")
    func leaving() async throws {
        var (ann, _, _) = try await join("ann")
        var (bob, bobsConnection, _) = try await join("bob")
        #expect(await registry.count == 1)
        await ann.end()
        await ann.end()
        #expect(await bobsConnection.news() == [.left(name: "ann")])
        await bob.end()
        #expect(await registry.count == 0)
    }

    @Test("Typing is published to the others only")
    func typing() async throws {
        var (ann, annsConnection, _) = try await join("ann")
        let (_, bobsConnection, _) = try await join("bob")
        _ = await annsConnection.news()
        try await ann.receive(#"{"kind":"typing"}"#, at: start, time: 1)
        #expect(await bobsConnection.news() == [.typing(name: "ann")])
        #expect(await annsConnection.news() == [])
    }

    @Test("Invalid messages get an error and change nothing")
    func nonsense() async throws {
        var (ann, annsConnection, _) = try await join("ann")
        for json in ["", "[]", #"{"kind":"x"}"#, #"{"kind":"say","text":""}"#] {
            try await ann.receive(json, at: start, time: 1)
        }
        try await ann.receiveBinary()
        let codes = await annsConnection.news().map { message -> ChatError.Code? in
            guard case .error(let error) = message else { return nil }
            return error.code
        }
        #expect(codes == [.notJSON, .notJSON, .unknownKind, .empty, .notText])
        try await ann.receive(say("well"), at: start, time: 1)
        #expect(await annsConnection.news().count == 1)
    }

    @Test("With many concurrent senders, everybody gets every message in the order of the ids")
    func order() async throws {
        let talkers = 8
        let (_, listener, _) = try await join("listener")
        await withTaskGroup { group in
            for talker in 0..<talkers {
                group.addTask {
                    guard var (session, _, _) = try? await join("t\(talker)") else { return }
                    for number in 0..<20 {
                        try? await session.receive(say("\(number)"), at: start, time: 1)
                    }
                }
            }
        }
        let ids = await listener.news().compactMap { message -> Int64? in
            guard case .said(let said) = message else { return nil }
            return said.id
        }
        #expect(ids.count == talkers * 20)
        #expect(ids == ids.sorted())
    }

    private func code(_ message: ServerMessage?) -> ChatError.Code? {
        if case .error(let error)? = message { error.code } else { nil }
    }

    @Test("Attempts to join are limited by address, over any number of connections")
    func joinRate() async throws {
        var limits = ChatLimits()
        (limits.joinBurst, limits.joinInterval) = (3, .seconds(2))
        let registry = RoomRegistry(history: try .inMemory(), broadcaster: ArrayBroadcaster(), limits: limits)
        let address = try #require(ClientNetwork(SocketAddress(ipAddress: "192.0.2.1", port: 1)))
        let other = try #require(ClientNetwork(SocketAddress(ipAddress: "192.0.2.2", port: 1)))
        func attempt(_ name: String, _ network: ClientNetwork, after seconds: Int) async throws
            -> ServerMessage?
        {
            let client = Client(origin: .network(network))
            var session = ClientSession(room: "lobby", connection: client, registry: registry)
            try await session.receive(
                ClientMessage.join(.init(name: name)).json(), at: start.advanced(by: .seconds(seconds)),
                time: 1)
            return await client.news().first
        }
        for number in 0..<3 { #expect(code(try await attempt("a\(number)", address, after: 0)) == nil) }
        #expect(code(try await attempt("a3", address, after: 0)) == .tooFast)
        #expect(code(try await attempt("a3", address, after: 1)) == .tooFast)
        #expect(code(try await attempt("b0", other, after: 1)) == nil)
        #expect(code(try await attempt("a0", address, after: 2)) == .nameTaken, "a rejected name counts too")
        #expect(code(try await attempt("a3", address, after: 2)) == .tooFast)
        #expect(code(try await attempt("a3", address, after: 4)) == nil)
    }

    @Test("A name that is taken and a room that is full are rejected without reading the history")
    func nameFirst() async throws {
        var limits = ChatLimits()
        limits.peoplePerRoom = 1
        let history = try History.inMemory()
        let registry = RoomRegistry(history: history, broadcaster: ArrayBroadcaster(), limits: limits)
        let ann = Client()
        var session = ClientSession(room: "lobby", connection: ann, registry: registry)
        try await session.receive(ClientMessage.join(.init(name: "ann")).json(), at: start, time: 1)
        try await history.database.write { try $0.execute(sql: "DROP TABLE message") }
        for (name, expected) in [("ANN", ChatError.Code.nameTaken), ("ben", .roomFull)] {
            let client = Client()
            var session = ClientSession(room: "lobby", connection: client, registry: registry)
            try await session.receive(ClientMessage.join(.init(name: name)).json(), at: start, time: 1)
            #expect(code(await client.news().first) == expected)
        }
        let client = Client()
        var elsewhere = ClientSession(room: "other", connection: client, registry: registry)
        try await elsewhere.receive(ClientMessage.join(.init(name: "ben")).json(), at: start, time: 1)
        #expect(code(await client.news().first) == .failed, "the history is really gone")
    }

    @Test("The number of tracked keys is bounded, and idle keys are forgotten")
    func limiters() {
        var limiters = RateLimiters<Int>(maxKeys: 3, limiter: RateLimiter(burst: 1, interval: .seconds(10)))
        let first = (0..<10).map { limiters.allows($0, at: start) }
        #expect(first.allSatisfy { $0 } && limiters.count == 3)
        // The first key is tracked and limited, the other is not.
        let again = [limiters.allows(0, at: start), limiters.allows(9, at: start)]
        #expect(again == [false, true])
        let later = limiters.allows(7, at: start.advanced(by: .seconds(11)))
        #expect(later)
        #expect(limiters.count == 1)
    }
}
