import Testing

@testable import ChatApp

@Suite("The protocol state of a connection")
struct ConversationTests {
    private let start = ContinuousClock.now

    private func inside() throws -> Conversation {
        var conversation = Conversation()
        conversation.entered(as: try PersonName("ann"))
        return conversation
    }

    private func code(_ action: Conversation.Action) -> ChatError.Code? {
        if case .reject(let error) = action { error.code } else { nil }
    }

    @Test("A join passes on the name, the last id and the token")
    func join() throws {
        var conversation = Conversation()
        let action = conversation.receive(#"{"kind":"join","name":" Ann ","after":3,"token":"t"}"#, at: start)
        #expect(action == .join(try PersonName("Ann"), after: 3, token: "t"))
        #expect(conversation.name == nil)
    }

    @Test("A rejected join may be tried again")
    func joinAgain() {
        var conversation = Conversation()
        #expect(code(conversation.receive(#"{"kind":"join","name":""}"#, at: start)) == .empty)
        guard case .join = conversation.receive(#"{"kind":"join","name":"ann"}"#, at: start) else {
            Issue.record("the second join was rejected")
            return
        }
    }

    @Test(
        "Before joining, only join and ping are allowed",
        arguments: [
            (#"{"kind":"say","text":"x"}"#, ChatError.Code.notJoined), (#"{"kind":"typing"}"#, .notJoined),
            ("nonsense", .notJSON),
        ])
    func outside(json: String, expected: ChatError.Code) {
        var conversation = Conversation()
        #expect(code(conversation.receive(json, at: start)) == expected)
        #expect(conversation.receive(#"{"kind":"ping"}"#, at: start) == .pong)
    }

    @Test("A second join is rejected")
    func second() throws {
        var conversation = try inside()
        #expect(code(conversation.receive(#"{"kind":"join","name":"bob"}"#, at: start)) == .alreadyJoined)
        #expect(conversation.name?.text == "ann")
    }

    @Test(
        "After an invalid message, the next message is handled as usual",
        arguments: ["", "{", "[]", #"{"kind":"x"}"#, #"{"kind":"say"}"#, #"{"kind":"say","text":" "}"#])
    func nonsense(json: String) throws {
        var conversation = try inside()
        #expect(code(conversation.receive(json, at: start)) != nil)
        #expect(code(conversation.receiveBinary()) == .notText)
        let action = conversation.receive(#"{"kind":"say","text":"hi","ref":"r"}"#, at: start)
        #expect(action == .say(try SaidText("hi"), as: try PersonName("ann"), ref: "r"))
    }

    @Test("The error for a rejected say contains its ref")
    func rejectedRef() throws {
        var conversation = try inside()
        let long = String(repeating: "x", count: 4097)
        let action = conversation.receive(#"{"kind":"say","text":"\#(long)","ref":"r9"}"#, at: start)
        guard case .reject(let error) = action else {
            Issue.record("accepted: \(action)")
            return
        }
        #expect(error.code == .tooLong)
        #expect(error.ref == "r9")
    }

    @Test("A ref that is too long is rejected and not repeated in the error")
    func longRef() throws {
        var conversation = try inside()
        let ref = String(repeating: "r", count: 65)
        guard
            case .reject(let error) = conversation.receive(
                #"{"kind":"say","text":"x","ref":"\#(ref)"}"#, at: start)
        else {
            Issue.record("accepted")
            return
        }
        #expect(error.field == "ref")
        #expect(error.ref == nil)
    }

    @Test("Typing notices within the interval are dropped without an error")
    func typing() throws {
        var conversation = try inside()
        let ann = try PersonName("ann")
        let offsets: [(Int, Conversation.Action)] = [
            (0, .typing(ann)), (1, .nothing), (1499, .nothing), (1500, .typing(ann)), (2999, .nothing),
            (9000, .typing(ann)), (9001, .nothing),
        ]
        for (milliseconds, expected) in offsets {
            let now = start.advanced(by: .milliseconds(milliseconds))
            #expect(conversation.receive(#"{"kind":"typing"}"#, at: now) == expected, "at \(milliseconds) ms")
        }
    }

    @Test("A burst is allowed, then one message per interval")
    func rateLimit() throws {
        var conversation = try inside()
        let say = #"{"kind":"say","text":"x"}"#
        for _ in 0..<30 {
            #expect(code(conversation.receive(say, at: start)) == nil)
        }
        #expect(code(conversation.receive(say, at: start)) == .tooFast)
        #expect(code(conversation.receive(say, at: start.advanced(by: .milliseconds(199)))) == .tooFast)
        #expect(code(conversation.receive(say, at: start.advanced(by: .milliseconds(200)))) == nil)
        #expect(code(conversation.receive(say, at: start.advanced(by: .milliseconds(201)))) == .tooFast)
    }
}
