import Testing

@testable import ChatApp

@Suite("Who is in a room")
struct PresenceTests {
    private let ann: PersonName
    private let bob: PersonName

    init() throws {
        ann = try PersonName("ann")
        bob = try PersonName("bob")
    }

    @Test("People are listed in the order in which they joined, until they leave")
    func joiningAndLeaving() throws {
        var presence = Presence<Int>()
        #expect(presence.isEmpty)
        #expect(try presence.join(bob, session: 1, token: nil, newToken: "b") == .new)
        #expect(try presence.join(ann, session: 2, token: nil, newToken: "a") == .new)
        #expect(presence.names == ["bob", "ann"])
        #expect(presence.leave(1) == bob)
        #expect(presence.names == ["ann"])
        #expect(presence.leave(1) == nil)
        #expect(presence.leave(2) == ann)
        #expect(presence.isEmpty)
    }

    @Test("A name that is taken is rejected, whatever its case", arguments: [nil, "wrong", ""] as [String?])
    func taken(token: String?) throws {
        var presence = Presence<Int>()
        _ = try presence.join(ann, session: 1, token: nil, newToken: "a")
        let error = #expect(throws: ChatError.self) {
            try presence.join(PersonName("ANN"), session: 2, token: token, newToken: "x")
        }
        #expect(error?.code == .nameTaken)
        #expect(error?.field == "name")
        #expect(presence.names == ["ann"])
    }

    @Test("A token takes over the name, and the end of the old session is not reported as leaving")
    func takeover() throws {
        var presence = Presence<Int>()
        _ = try presence.join(ann, session: 1, token: nil, newToken: "first")
        #expect(try presence.join(ann, session: 2, token: "first", newToken: "second") == .tookOver(from: 1))
        #expect(presence.leave(1) == nil)
        #expect(presence.names == ["ann"])
        // The old token is no longer valid.
        #expect(throws: ChatError.self) { try presence.join(ann, session: 3, token: "first", newToken: "x") }
        #expect(presence.leave(2) == ann)
    }

    @Test("A token is only valid for its own name")
    func foreignToken() throws {
        var presence = Presence<Int>()
        _ = try presence.join(ann, session: 1, token: nil, newToken: "a")
        _ = try presence.join(bob, session: 2, token: nil, newToken: "b")
        #expect(throws: ChatError.self) { try presence.join(bob, session: 3, token: "a", newToken: "x") }
    }

    @Test("A full room rejects new people but accepts takeovers")
    func full() throws {
        var limits = ChatLimits()
        limits.peoplePerRoom = 1
        var presence = Presence<Int>(limits: limits)
        _ = try presence.join(ann, session: 1, token: nil, newToken: "a")
        let error = #expect(throws: ChatError.self) {
            try presence.join(bob, session: 2, token: nil, newToken: "b")
        }
        #expect(error?.code == .roomFull)
        #expect(error?.limit == 1)
        #expect(try presence.join(ann, session: 3, token: "a", newToken: "a2") == .tookOver(from: 1))
    }
}
