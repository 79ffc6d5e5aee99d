import FoundationEssentials
import GRDB
import NIOCore
import Testing
import WSKit

import struct HTTPKit.ClientNetwork

@testable import Chat

/// A client that keeps what it was sent.
private actor Client: Line {
    nonisolated let id = UUID()
    nonisolated let origin: Chat.Origin
    private(set) var received: [ServerMessage] = []
    private(set) var isEnded = false
    private var watchers: [CheckedContinuation<Void, Never>] = []

    init(origin: Chat.Origin? = nil) { self.origin = origin ?? .line(id) }

    func send(_ message: ServerMessage) { received.append(message) }

    func end() {
        isEnded = true
        for watcher in watchers { watcher.resume() }
        watchers = []
    }

    func ended() async {
        if !isEnded { await withCheckedContinuation { watchers.append($0) } }
    }

    /// What came since the last call.
    func news() -> [ServerMessage] {
        defer { received = [] }
        return received
    }
}

/// Rooms in an array.
private actor ArrayCarrier: Carrier {
    private var lines: [(room: RoomName, line: any Line)] = []

    func add(_ line: any Line, to room: RoomName) { lines.append((room, line)) }

    func remove(_ line: any Line, from room: RoomName) {
        lines.removeAll { $0.room == room && $0.line.id == line.id }
    }

    func publish(_ message: ServerMessage, in room: RoomName, except line: (any Line)?) async {
        for entry in lines where entry.room == room && entry.line.id != line?.id {
            try? await entry.line.send(message)
        }
    }
}

@Suite("Visits of a room")
struct VisitTests {
    private let house: House
    private let start = ContinuousClock.now

    init() throws {
        house = House(history: try .inMemory(), carrier: ArrayCarrier())
    }

    private func visit(_ room: String = "lobby") -> (Visit, Client) {
        let client = Client()
        return (Visit(room: room, line: client, house: house), client)
    }

    private func join(
        _ name: String, _ room: String = "lobby", after: Int64? = nil, token: String? = nil
    ) async throws -> (Visit, Client, ServerMessage.Welcome) {
        var (visit, client) = visit(room)
        let json = try ClientMessage.join(.init(name: name, after: after, token: token)).json()
        try await visit.receive(json, at: start, time: 1)
        guard case .welcome(let welcome)? = await client.news().last else {
            throw ChatError(.failed, "\(name) was not let in")
        }
        return (visit, client, welcome)
    }

    private func say(_ text: String, ref: String? = nil) throws -> String {
        try ClientMessage.say(.init(text: text, ref: ref)).json()
    }

    @Test("What one says everybody in the room gets, the speaker too, and nobody elsewhere")
    func saying() async throws {
        var (ann, annsLine, _) = try await join("ann")
        let (_, bobsLine, welcome) = try await join("bob")
        let (_, otherLine, _) = try await join("cy", "elsewhere")
        #expect(welcome.here == ["ann", "bob"])
        #expect(await annsLine.news() == [.joined(name: "bob")])
        try await ann.receive(say("hi", ref: "r"), at: start, time: 77)
        let said = ServerMessage.said(ChatMessage(id: 1, name: "ann", text: "hi", time: 77, ref: "r"))
        #expect(await annsLine.news() == [said])
        #expect(await bobsLine.news() == [said])
        #expect(await otherLine.news() == [])
    }

    @Test("A newcomer gets the history, a returning client what it missed")
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

    @Test("A message sent again with the same ref is stored once and told to its sender only")
    func again() async throws {
        var (ann, annsLine, _) = try await join("ann")
        let (_, bobsLine, _) = try await join("bob")
        _ = await annsLine.news()
        try await ann.receive(say("hi", ref: "r"), at: start, time: 1)
        try await ann.receive(say("hi", ref: "r"), at: start, time: 2)
        #expect(await annsLine.news().count == 2)
        #expect(await bobsLine.news().count == 1)
    }

    @Test("A taken name is refused, and the same socket may try another")
    func taken() async throws {
        _ = try await join("ann")
        var (visit, client) = visit()
        try await visit.receive(#"{"kind":"join","name":"ANN"}"#, at: start, time: 1)
        guard case .error(let error)? = await client.news().last else {
            Issue.record("no error")
            return
        }
        #expect(error.code == .nameTaken)
        try await visit.receive(#"{"kind":"join","name":"bob"}"#, at: start, time: 1)
        guard case .welcome(let welcome)? = await client.news().last else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.here == ["ann", "bob"])
    }

    @Test("A bad room is told when somebody tries to join", arguments: ["", "a b", "../x", "é"])
    func badRoom(path: String) async throws {
        var (visit, client) = visit(path)
        try await visit.receive(#"{"kind":"join","name":"ann"}"#, at: start, time: 1)
        guard case .error(let error)? = await client.news().last else {
            Issue.record("no error")
            return
        }
        #expect(error.field == "room")
        #expect(await house.count == 0)
    }

    @Test(
        "The same session over a new socket: nobody sees it leave, the old socket is ended and may say nothing"
    )
    func takeover() async throws {
        var (old, oldLine, first) = try await join("ann")
        let (_, bobsLine, _) = try await join("bob")
        _ = await oldLine.news()
        let (_, _, second) = try await join("ann", token: first.token)
        #expect(second.here == ["ann", "bob"])
        #expect(second.token != first.token)
        await oldLine.ended()
        #expect(await oldLine.news() == [.error(.sessionReplaced)])
        try await old.receive(say("still me"), at: start, time: 1)
        #expect(await oldLine.news() == [.error(.sessionReplaced)])
        await old.end()
        #expect(await bobsLine.news() == [])
    }

    @Test("Leaving is told once, and the last one out closes the room")
    func leaving() async throws {
        var (ann, _, _) = try await join("ann")
        var (bob, bobsLine, _) = try await join("bob")
        #expect(await house.count == 1)
        await ann.end()
        await ann.end()
        #expect(await bobsLine.news() == [.left(name: "ann")])
        await bob.end()
        #expect(await house.count == 0)
    }

    @Test("Typing is told to the others, not to oneself")
    func typing() async throws {
        var (ann, annsLine, _) = try await join("ann")
        let (_, bobsLine, _) = try await join("bob")
        _ = await annsLine.news()
        try await ann.receive(#"{"kind":"typing"}"#, at: start, time: 1)
        #expect(await bobsLine.news() == [.typing(name: "ann")])
        #expect(await annsLine.news() == [])
    }

    @Test("Nonsense is answered and changes nothing")
    func nonsense() async throws {
        var (ann, annsLine, _) = try await join("ann")
        for json in ["", "[]", #"{"kind":"x"}"#, #"{"kind":"say","text":""}"#] {
            try await ann.receive(json, at: start, time: 1)
        }
        try await ann.receiveBinary()
        let codes = await annsLine.news().map { message -> ChatError.Code? in
            guard case .error(let error) = message else { return nil }
            return error.code
        }
        #expect(codes == [.notJSON, .notJSON, .unknownKind, .empty, .notText])
        try await ann.receive(say("well"), at: start, time: 1)
        #expect(await annsLine.news().count == 1)
    }

    @Test("However many talk at once, everybody gets every message in the order of the ids")
    func order() async throws {
        let talkers = 8
        let (_, listener, _) = try await join("listener")
        await withTaskGroup { group in
            for talker in 0..<talkers {
                group.addTask {
                    guard var (visit, _, _) = try? await join("t\(talker)") else { return }
                    for number in 0..<20 {
                        try? await visit.receive(say("\(number)"), at: start, time: 1)
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

    @Test("Attempts to join are paced by address, over however many connections they come")
    func joinPace() async throws {
        var limits = ChatLimits()
        (limits.joinBurst, limits.joinInterval) = (3, .seconds(2))
        let house = House(history: try .inMemory(), carrier: ArrayCarrier(), limits: limits)
        let address = try #require(ClientNetwork(SocketAddress(ipAddress: "192.0.2.1", port: 1)))
        let other = try #require(ClientNetwork(SocketAddress(ipAddress: "192.0.2.2", port: 1)))
        func attempt(_ name: String, _ network: ClientNetwork, after seconds: Int) async throws
            -> ServerMessage?
        {
            let client = Client(origin: .network(network))
            var visit = Visit(room: "lobby", line: client, house: house)
            try await visit.receive(
                ClientMessage.join(.init(name: name)).json(), at: start.advanced(by: .seconds(seconds)),
                time: 1)
            return await client.news().first
        }
        for number in 0..<3 { #expect(code(try await attempt("a\(number)", address, after: 0)) == nil) }
        #expect(code(try await attempt("a3", address, after: 0)) == .tooFast)
        #expect(code(try await attempt("a3", address, after: 1)) == .tooFast)
        #expect(code(try await attempt("b0", other, after: 1)) == nil)
        #expect(code(try await attempt("a0", address, after: 2)) == .nameTaken, "a refused name counts, too")
        #expect(code(try await attempt("a3", address, after: 2)) == .tooFast)
        #expect(code(try await attempt("a3", address, after: 4)) == nil)
    }

    @Test("A name that is taken, and a room that is full, cost no look at the history")
    func nameFirst() async throws {
        var limits = ChatLimits()
        limits.peoplePerRoom = 1
        let history = try History.inMemory()
        let house = House(history: history, carrier: ArrayCarrier(), limits: limits)
        let ann = Client()
        var visit = Visit(room: "lobby", line: ann, house: house)
        try await visit.receive(ClientMessage.join(.init(name: "ann")).json(), at: start, time: 1)
        try await history.database.write { try $0.execute(sql: "DROP TABLE message") }
        for (name, expected) in [("ANN", ChatError.Code.nameTaken), ("ben", .roomFull)] {
            let client = Client()
            var visit = Visit(room: "lobby", line: client, house: house)
            try await visit.receive(ClientMessage.join(.init(name: name)).json(), at: start, time: 1)
            #expect(code(await client.news().first) == expected)
        }
        let client = Client()
        var elsewhere = Visit(room: "other", line: client, house: house)
        try await elsewhere.receive(ClientMessage.join(.init(name: "ben")).json(), at: start, time: 1)
        #expect(code(await client.news().first) == .failed, "the history is gone indeed")
    }

    @Test("Only so many addresses are kept in mind; quiet ones are forgotten")
    func paces() {
        var paces = Paces<Int>(most: 3, pace: Pace(burst: 1, interval: .seconds(10)))
        let first = (0..<10).map { paces.allows($0, at: start) }
        #expect(first.allSatisfy { $0 } && paces.count == 3)
        // One is kept in mind and held to its pace, the other is not.
        let again = [paces.allows(0, at: start), paces.allows(9, at: start)]
        #expect(again == [false, true])
        let later = paces.allows(7, at: start.advanced(by: .seconds(11)))
        #expect(later)
        #expect(paces.count == 1)
    }
}
