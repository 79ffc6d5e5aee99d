import Testing

@testable import ChatApp

@Suite("Client messages")
struct ClientMessageTests {
    static let readable: [(String, ClientMessage)] = [
        (#"{"kind":"join","name":"ann"}"#, .join(.init(name: "ann"))),
        (
            #"{"kind":"join","name":"ann","after":7,"token":"t"}"#,
            .join(.init(name: "ann", after: 7, token: "t"))
        ),
        (#"{"kind":"join","name":"ann","after":null}"#, .join(.init(name: "ann"))),
        (#" { "text" : "h\u00e9 <b>" , "kind" : "say" } "#, .say(.init(text: "hé <b>"))),
        (#"{"kind":"say","text":"hi","ref":"r1"}"#, .say(.init(text: "hi", ref: "r1"))),
        (#"{"kind":"typing"}"#, .typing),
        (#"{"kind":"ping","more":"is ignored"}"#, .ping),
    ]

    @Test("Valid messages are parsed", arguments: readable)
    func reads(json: String, expected: ClientMessage) throws {
        #expect(try ClientMessage(json: json) == expected)
    }

    @Test("Messages survive encoding and parsing", arguments: readable.map(\.1))
    func roundTrip(message: ClientMessage) throws {
        #expect(try ClientMessage(json: message.json()) == message)
    }

    static let unreadable: [(String, ChatError.Code, String?)] = [
        ("", .notJSON, nil),
        ("hello", .notJSON, nil),
        ("{", .notJSON, nil),
        ("7", .notJSON, nil),
        (#""say""#, .notJSON, nil),
        (#"["say"]"#, .notJSON, nil),
        ("null", .notJSON, nil),
        ("{}", .missingField, "kind"),
        (#"{"kind":7}"#, .wrongType, "kind"),
        (#"{"kind":null}"#, .wrongType, "kind"),
        (#"{"kind":"shout"}"#, .unknownKind, "kind"),
        (#"{"kind":"Say","text":"x"}"#, .unknownKind, "kind"),
        (#"{"kind":"say"}"#, .missingField, "text"),
        (#"{"kind":"say","text":["x"]}"#, .wrongType, "text"),
        (#"{"kind":"say","text":"x","ref":1}"#, .wrongType, "ref"),
        (#"{"kind":"join"}"#, .missingField, "name"),
        (#"{"kind":"join","name":false}"#, .wrongType, "name"),
        (#"{"kind":"join","name":"ann","after":"7"}"#, .wrongType, "after"),
        (#"{"kind":"join","name":"ann","after":1e300}"#, .wrongType, "after"),
        (#"{"kind":"join","name":"ann","after":1.5}"#, .wrongType, "after"),
    ]

    @Test("Invalid messages are rejected, naming the field", arguments: unreadable)
    func rejects(json: String, code: ChatError.Code, field: String?) {
        let error = #expect(throws: ChatError.self) { try ClientMessage(json: json) }
        #expect(error?.code == code)
        #expect(error?.field == field)
        #expect(error?.text.isEmpty == false)
    }

    @Test("An unknown kind is shortened in the error")
    func echoIsBounded() {
        let kind = String(repeating: "x", count: 100_000)
        let error = #expect(throws: ChatError.self) { try ClientMessage(json: #"{"kind":"\#(kind)"}"#) }
        #expect(error?.value?.count == 65)
        #expect((error?.text.count ?? .max) < 200)
    }
}
