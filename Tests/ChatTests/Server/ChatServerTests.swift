import FoundationEssentials
import NIOCore
import OnePort
import OnePortTesting
import Testing
import WSKit

@testable import ChatApp

@Suite("The chat from end to end, without a port", .timeLimit(.minutes(5)))
struct ChatServerTests {
    /// Runs the chat with an empty history.
    static func chat(
        limits: ChatLimits = ChatLimits(), mode: TestMode = .inMemory,
        _ body: (TestClient) async throws -> Void
    ) async throws {
        var configuration = AppConfiguration()
        configuration.root = Place.root.path
        let app = App(configuration: configuration)
        app.limits.headTimeout = patience
        ChatServer.declare(on: app, history: try .inMemory(), limits: limits)
        try await app.test(mode, body)
    }

    private func enter(
        _ client: TestClient, _ name: String, room: String = "lobby", after: Int64? = nil,
        token: String? = nil
    ) async throws -> Guest {
        try await Guest.enter(
            try await client.webSocket("/rooms/\(room)", .patient),
            as: .init(name: name, after: after, token: token))
    }

    @Test("A person who joins gets a welcome, and the others learn who joins and leaves")
    func presence() async throws {
        try await Self.chat { client in
            let ann = try await enter(client, "ann")
            #expect(ann.socket.isCompressed)
            #expect(ann.welcome.here == ["ann"])
            #expect(ann.welcome.limits == .init(text: 4096, name: 32, room: 32))
            let ben = try await enter(client, "ben")
            #expect(ben.welcome.here == ["ann", "ben"])
            #expect(try await ann.next() == .joined(name: "ben"))
            try await ben.send(.typing)
            #expect(try await ann.next() == .typing(name: "ben"))
            await ben.socket.close()
            #expect(try await ann.next() == .left(name: "ben"))
            try await ann.send(.ping)
            #expect(try await ann.next() == .pong)
        }
    }

    @Test("A message reaches everybody in the room, is stored, and is not published twice")
    func saying() async throws {
        try await Self.chat { client in
            let ann = try await enter(client, "ann")
            let ben = try await enter(client, "ben")
            _ = try await ann.next()
            let said = try await ben.say("Hello, Grüße, 海", ref: "r1")
            #expect(try await ann.next() == .said(said))
            #expect(said.name == "ben" && said.ref == "r1" && said.time > 1_600_000_000_000)
            #expect(try await ben.say(said.text, ref: "r1") == said, "the same ref is the same message")
            try await ann.say("next")
            let cleo = try await enter(client, "cleo")
            #expect(cleo.welcome.history == .recent)
            #expect(cleo.welcome.messages.map(\.text) == [said.text, "next"])
        }
    }

    @Test("A returning client gets the messages that it missed, or the newest if it missed too many")
    func catchingUp() async throws {
        var limits = ChatLimits()
        limits.missedMessages = 3
        limits.recentMessages = 2
        try await Self.chat(limits: limits) { client in
            let ann = try await enter(client, "ann")
            var ids: [Int64] = []
            for text in ["one", "two", "three", "four", "five"] { ids.append(try await ann.say(text).id) }
            let missed = try await enter(client, "ben", after: ids[2])
            #expect(missed.welcome.history == .missed)
            #expect(missed.welcome.messages.map(\.text) == ["four", "five"])
            let gap = try await enter(client, "cleo", after: ids[0])
            #expect(gap.welcome.history == .gap)
            #expect(gap.welcome.messages.map(\.text) == ["three", "four", "five"])
            let stranger = try await enter(client, "dora", after: ids[4] + 1)
            #expect(stranger.welcome.history == .recent)
            #expect(stranger.welcome.messages.map(\.text) == ["four", "five"])
            #expect(try await enter(client, "emil", after: ids[4]).welcome.messages == [])
        }
    }

    @Test("A token takes over the name from a connection that is dead but still open for the server")
    func takeover() async throws {
        try await Self.chat { client in
            let ghost = try await enter(client, "ann")
            let ben = try await enter(client, "ben")
            _ = try await ghost.next()
            let ann = try await enter(client, "Ann", token: ghost.welcome.token)
            #expect(ann.welcome.here.count == 2)
            guard case .error(let error) = try await ghost.next() else {
                Issue.record("the old connection got no error")
                return
            }
            #expect(error.code == .replaced)
            await #expect(throws: ConnectionEnded.self) { _ = try await ghost.next() }
            try await ann.say("still me")
            guard case .said(let said) = try await ben.next() else {
                Issue.record("the takeover was published")
                return
            }
            #expect(said.text == "still me")
        }
    }

    @Test("A name that is taken is rejected, and another may be tried over the same socket")
    func takenName() async throws {
        try await Self.chat { client in
            _ = try await enter(client, "ann")
            let socket = try await client.webSocket("/rooms/lobby", .patient)
            for name in ["ann", "ANN", " Ann "] {
                try await socket.send(ClientMessage.join(.init(name: name)).json())
                guard case .error(let error) = try await socket.nextMessage() else {
                    Issue.record("\(name) was let in")
                    continue
                }
                #expect(error.code == .nameTaken && error.field == "name")
            }
            #expect(try await Guest.enter(socket, as: .init(name: "ben")).welcome.here == ["ann", "ben"])
        }
    }

    @Test("An address that joins too often gets errors over sockets that stay open")
    func joinRate() async throws {
        var limits = ChatLimits()
        (limits.joinBurst, limits.joinInterval) = (2, .seconds(3600))
        try await Self.chat(limits: limits, mode: .live) { client in
            let ann = try await enter(client, "ann")
            _ = try await enter(client, "ben", room: "other")
            let socket = try await client.webSocket("/rooms/lobby", .patient)
            for _ in 0..<2 {
                try await socket.send(ClientMessage.join(.init(name: "cleo")).json())
                guard case .error(let error) = try await socket.nextMessage() else {
                    Issue.record("cleo was let in")
                    return
                }
                #expect(error.code == .tooFast)
            }
            try await ann.send(.ping)
            #expect(try await ann.next() == .pong, "her attempts were not published")
        }
    }

    @Test("Rooms are separate, and upper case means the same room")
    func twoRooms() async throws {
        try await Self.chat { client in
            let ann = try await enter(client, "ann", room: "one")
            let other = try await enter(client, "ann", room: "two")
            let ben = try await enter(client, "ben", room: "TWO")
            #expect(ben.welcome.room == "two" && ben.welcome.here == ["ann", "ben"])
            #expect(try await other.next() == .joined(name: "ben"))
            let said = try await ben.say("only here")
            #expect(try await other.next() == .said(said))
            try await ann.send(.ping)
            #expect(try await ann.next() == .pong, "no message of the other room came before it")
        }
    }

    /// An invalid message, whether the client has joined before, and the expected error.
    struct Mistake: CustomTestStringConvertible, Sendable {
        let json: String
        var isInside = true
        let code: ChatError.Code
        var field: String?
        var testDescription: String { String(json.prefix(60)) }
    }

    static let knownMistakes = [
        Mistake(json: "nonsense", code: .notJSON),
        Mistake(json: "[1]", code: .notJSON),
        Mistake(json: "{}", code: .missingField, field: "kind"),
        Mistake(json: #"{"kind":"shout","text":"x"}"#, code: .unknownKind, field: "kind"),
        Mistake(json: #"{"kind":"say"}"#, code: .missingField, field: "text"),
        Mistake(json: #"{"kind":"say","text":7}"#, code: .wrongType, field: "text"),
        Mistake(json: #"{"kind":"say","text":" \n "}"#, code: .empty, field: "text"),
        Mistake(json: #"{"kind":"say","text":"a\u0000b"}"#, code: .notAllowed, field: "text"),
        Mistake(
            json: #"{"kind":"say","text":""# + String(repeating: "x", count: 4097) + #""}"#, code: .tooLong,
            field: "text"),
        Mistake(json: #"{"kind":"join","name":"cleo"}"#, code: .alreadyJoined),
        Mistake(json: #"{"kind":"say","text":"x"}"#, isInside: false, code: .notJoined),
        Mistake(json: #"{"kind":"typing"}"#, isInside: false, code: .notJoined),
        Mistake(json: #"{"kind":"join"}"#, isInside: false, code: .missingField, field: "name"),
        Mistake(json: #"{"kind":"join","name":"  "}"#, isInside: false, code: .empty, field: "name"),
        Mistake(
            json: #"{"kind":"join","name":"a\u202eb"}"#, isInside: false, code: .notAllowed, field: "name"),
        Mistake(
            json: #"{"kind":"join","name":"x","after":"y"}"#, isInside: false, code: .wrongType,
            field: "after"),
    ]

    @Test("An invalid message gets an error, and the socket stays open", arguments: knownMistakes)
    func mistakes(_ mistake: Mistake) async throws {
        try await Self.chat { client in
            let socket = try await client.webSocket("/rooms/lobby", .patient)
            if mistake.isInside { _ = try await Guest.enter(socket, as: .init(name: "ben")) }
            try await socket.send(mistake.json)
            guard case .error(let error) = try await socket.nextMessage() else {
                Issue.record("no error")
                return
            }
            #expect(error.code == mistake.code)
            #expect(error.field == mistake.field)
            #expect(!error.text.isEmpty)
            try await socket.send(ClientMessage.ping.json())
            #expect(try await socket.nextMessage() == .pong)
        }
    }

    @Test("A binary message and an invalid room get errors too; only a huge message closes the socket")
    func oddSockets() async throws {
        try await Self.chat { client in
            let socket = try await client.webSocket("/rooms/no%20room", .patient)
            try await socket.send(ByteBuffer(bytes: [1, 2, 3]))
            guard case .error(let binary) = try await socket.nextMessage() else {
                Issue.record("no error")
                return
            }
            #expect(binary.code == .notText)
            try await socket.send(ClientMessage.join(.init(name: "ann")).json())
            guard case .error(let room) = try await socket.nextMessage() else {
                Issue.record("let into an invalid room")
                return
            }
            #expect(room.code == .notAllowed && room.field == "room")
            try await socket.send(
                String(repeating: "x", count: ChatLimits().frameBytes + 1), compress: false)
            await #expect(throws: ConnectionEnded.self) { _ = try await socket.nextMessage() }
            #expect(await socket.closeReason?.code == .messageTooBig)
        }
    }
}
