import Testing

@testable import Chat

@Suite("Names, rooms and texts")
struct NameRulesTests {
    @Test(
        "A name is taken as it will be shown",
        arguments: [
            ("ann", "ann"), ("  ann  ", "ann"), ("ann  lee", "ann lee"), ("Zoë", "Zoë"), ("名前", "名前"),
            ("🦊", "🦊"), ("❤️", "❤️"), ("<b>", "<b>"),
            (String(repeating: "x", count: 32), String(repeating: "x", count: 32)),
        ])
    func goodName(typed: String, shown: String) throws {
        #expect(try PersonName(typed).text == shown)
    }

    @Test(
        "A name that cannot be is refused",
        arguments: [
            ("", ChatError.Code.empty), ("   ", .empty), (String(repeating: "x", count: 33), .tooLong),
            // One character to the eye, thirty-four on the wire.
            ("e" + String(repeating: "\u{301}", count: 33), .tooLong),
            ("a\u{200B}nn", .notAllowed), ("ann\u{202E}", .notAllowed), ("a\nb", .notAllowed),
            ("a\u{0}", .notAllowed), ("\u{A0}", .notAllowed), ("\u{3164}", .notAllowed),
            ("\u{FE0F}", .notAllowed), ("\u{1B}[31m", .notAllowed), ("a\u{2028}b", .notAllowed),
        ])
    func badName(typed: String, code: ChatError.Code) {
        let error = #expect(throws: ChatError.self) { try PersonName(typed) }
        #expect(error?.code == code)
        #expect(error?.field == "name")
    }

    @Test(
        "Case and composition do not make another name",
        arguments: [("Ann", "aNN"), ("Zoe\u{308}", "ZO\u{CB}")])
    func sameName(one: String, other: String) throws {
        #expect(try PersonName(one).key == PersonName(other).key)
    }

    @Test(
        "A room is taken in lower case",
        arguments: [("lobby", "lobby"), ("Lobby", "lobby"), ("a-1_b", "a-1_b"), ("7", "7")])
    func goodRoom(given: String, room: String) throws {
        #expect(try RoomName(given).text == room)
    }

    @Test(
        "A room that cannot be is refused",
        arguments: [
            ("", ChatError.Code.empty), (String(repeating: "r", count: 33), .tooLong), ("-a", .notAllowed),
            ("a b", .notAllowed), ("ä", .notAllowed), ("a/b", .notAllowed), ("..", .notAllowed),
            ("\u{212A}elvin\u{301}", .notAllowed),
        ])
    func badRoom(given: String, code: ChatError.Code) {
        let error = #expect(throws: ChatError.self) { try RoomName(given) }
        #expect(error?.code == code)
        #expect(error?.field == "room")
    }

    @Test(
        "A text is kept as typed, but for its line ends",
        arguments: [
            ("hi", "hi"), ("  hi  ", "  hi  "), ("a\r\nb\rc\nd", "a\nb\nc\nd"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            (String(repeating: "x", count: 4096), String(repeating: "x", count: 4096)),
        ])
    func goodText(typed: String, kept: String) throws {
        #expect(try SaidText(typed).text == kept)
    }

    @Test(
        "A text that cannot be is refused",
        arguments: [
            ("", ChatError.Code.empty), (" \n\t\u{3000}", .empty),
            (String(repeating: "x", count: 4097), .tooLong),
            // 2,049 characters of two octets each.
            (String(repeating: "é", count: 2049), .tooLong), ("a\u{0}b", .notAllowed),
        ])
    func badText(typed: String, code: ChatError.Code) {
        let error = #expect(throws: ChatError.self) { try SaidText(typed) }
        #expect(error?.code == code)
        #expect(error?.field == "text")
    }

    @Test("Too long says the limit and the size")
    func sizes() {
        let error = #expect(throws: ChatError.self) { try SaidText(String(repeating: "é", count: 2049)) }
        #expect(error?.limit == 4096)
        #expect(error?.value == "4098")
    }
}
