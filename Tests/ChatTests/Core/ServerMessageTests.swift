import Testing

@testable import ChatApp

@Suite("Server messages")
struct ServerMessageTests {
    static let message = ChatMessage(id: 9, name: "ann", text: "a/b \"c\"\n<i>", time: 1_763_708_878_123)

    static let written: [(ServerMessage, String)] = [
        (
            .said(message),
            #"{"id":9,"kind":"said","name":"ann","text":"a/b \"c\"\n<i>","time":1763708878123}"#
        ),
        (.joined(name: "bob"), #"{"kind":"joined","name":"bob"}"#),
        (.left(name: "bob"), #"{"kind":"left","name":"bob"}"#),
        (.typing(name: "bob"), #"{"kind":"typing","name":"bob"}"#),
        (.pong, #"{"kind":"pong"}"#),
        (
            .error(ChatError(.tooLong, "Too long.", field: "text", limit: 4096, value: "4097", ref: "r")),
            #"{"code":"too_long","field":"text","kind":"error","limit":4096,"ref":"r","text":"Too long.","value":"4097"}"#
        ),
        (
            .welcome(
                .init(
                    room: "lobby", name: "ann", token: "t", here: ["ann"], history: .recent,
                    messages: [], limits: ChatLimits().advertised)),
            #"{"here":["ann"],"history":"recent","kind":"welcome","limits":{"name":32,"room":32,"text":4096},"#
                + #""messages":[],"name":"ann","room":"lobby","token":"t"}"#
        ),
    ]

    @Test("A message is one JSON object with a kind", arguments: written)
    func writes(message: ServerMessage, json: String) throws {
        #expect(try message.json() == json)
        #expect(try ServerMessage(json: json) == message)
    }

    @Test("A message with an unknown kind is rejected")
    func unknownKind() {
        #expect(throws: (any Error).self) { try ServerMessage(json: #"{"kind":"shout"}"#) }
    }
}
