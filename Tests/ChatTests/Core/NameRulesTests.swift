import Testing

@testable import ChatApp

@Suite("Names, rooms and texts")
struct NameRulesTests {
    @Test(
        "Valid names are normalized",
        arguments: [
            ("ann", "ann"), ("  ann  ", "ann"), ("ann  lee", "ann lee"), ("Zoë", "Zoë"), ("名前", "名前"),
            ("🦊", "🦊"), ("❤️", "❤️"), ("<b>", "<b>"),
            (String(repeating: "x", count: 32), String(repeating: "x", count: 32)),
        ])
    func goodName(typed: String, shown: String) throws {
        #expect(try PersonName(typed).text == shown)
    }

    @Test(
        "Invalid names are rejected",
        arguments: [
            ("", ChatError.Code.empty), ("   ", .empty), (String(repeating: "x", count: 33), .tooLong),
            // One visible character, thirty-four scalars.
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
        "Scripts that are written together are allowed, and so are words in different scripts",
        arguments: [
            "Jörg", "Ana María", "O'Brien", "Nguyễn", "Nguye\u{302}\u{303}n", "Анна Ann", "Δημήτρης", "東京タワー",
            "DJ東京", "たろう123", "らーめん", "김철수Kim", "王ㄅ", "محمد ٣", "नमस्ते", "สวัสดี", "ann_1", "ann-2", "1️⃣", "™ann",
            "🅰", "Ələkbər", "Ɓala", "K\u{2BB}ahi", "ⴰⴱ", "no.1", "👍🏽", "🇩🇪", "❤️ ann", "דָּוִד", "ᏣᎳᎩ",
        ])
    func legitimateName(name: String) throws {
        #expect(try PersonName(name).text == name)
    }

    @Test(
        "A name that could be mistaken for another one is rejected",
        arguments: [
            // Letters of two scripts in one word.
            "аnn", "аnnа", "Αnn", "anᎠ", "ann Pаul", "раypal-x", "µTorrent", "a١",
            // Invisible characters.
            "ann\u{FE0F}", "a\u{FE0F}nn", "1\u{FE0F}", "an\u{2800}n", "\u{2800}", "ann\u{115F}", "a\u{34F}nn",
            "ann\u{180B}", "ann\u{E0061}", "a\u{AD}nn", "\u{1D159}", "ann\u{FFFC}", "❤\u{FE0F}\u{FE0F}",
            "a\u{200D}nn", "ann\u{2060}",
            // Letters in a special form.
            "𝐚nn", "ａｎｎ", "ⓐnn", "ᴀnn", "aⁿⁿ", "ﬁn", "ℂat", "🄰nn", "ann１",
            // Accents without a letter, too many accents, enclosing marks.
            "\u{301}ann", "ann \u{301}", "a\u{301}\u{302}\u{303}\u{304}\u{305}", "a\u{20DD}", "a\u{20E3}",
        ])
    func lookAlike(name: String) {
        let error = #expect(throws: ChatError.self, "\(name.unicodeScalars.map(\.value))") {
            try PersonName(name)
        }
        #expect(error?.code == .notAllowed)
    }

    @Test(
        "Names in one script that look like names in another are detected",
        arguments: [
            ("сосо", "coco", true), ("АНН", "AHH", true), ("ΑΝΝΑ", "ANNA", true), ("Ian", "lan", true),
            ("bot1", "botl", true), ("R0Y", "ROY", true), ("❤️", "❤", true), ("Ann", "ANN", true),
            ("Ian", "Lan", false), ("анна", "anna", false), ("ann", "anne", false),
            ("Ο Ο", "O O", true), ("ann", "ánn", false),
        ])
    func looks(one: String, other: String, isSame: Bool) throws {
        let (one, other) = (try PersonName(one), try PersonName(other))
        #expect(one.looksLike(other) == isSame)
        #expect(other.looksLike(one) == isSame)
    }

    @Test("No invisible scalar is allowed in a name")
    func everyScalar() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value), scalar != " ",
                scalar.properties.isDefaultIgnorableCodePoint,
                scalar != "\u{FE0F}"
            else { continue }
            #expect(LookAlikes.problem(in: "a\(scalar)b") == .invisible, "\(value)")
        }
    }

    @Test(
        "Names that differ in case or composition are the same",
        arguments: [("Ann", "aNN"), ("Zoe\u{308}", "ZO\u{CB}"), ("❤️", "❤")])
    func sameName(one: String, other: String) throws {
        #expect(try PersonName(one).key == PersonName(other).key)
    }

    @Test(
        "A room's name is converted to lower case",
        arguments: [("lobby", "lobby"), ("Lobby", "lobby"), ("a-1_b", "a-1_b"), ("7", "7")])
    func goodRoom(given: String, room: String) throws {
        #expect(try RoomName(given).text == room)
    }

    @Test(
        "Invalid room names are rejected",
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
        "A text is kept as typed, except for its line ends",
        arguments: [
            ("hi", "hi"), ("  hi  ", "  hi  "), ("a\r\nb\rc\nd", "a\nb\nc\nd"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            (String(repeating: "x", count: 4096), String(repeating: "x", count: 4096)),
        ])
    func goodText(typed: String, kept: String) throws {
        #expect(try SaidText(typed).text == kept)
    }

    @Test(
        "Invalid texts are rejected",
        arguments: [
            ("", ChatError.Code.empty), (" \n\t\u{3000}", .empty),
            (String(repeating: "x", count: 4097), .tooLong),
            // 2,049 characters of two bytes each.
            (String(repeating: "é", count: 2049), .tooLong), ("a\u{0}b", .notAllowed),
        ])
    func badText(typed: String, code: ChatError.Code) {
        let error = #expect(throws: ChatError.self) { try SaidText(typed) }
        #expect(error?.code == code)
        #expect(error?.field == "text")
    }

    @Test("The error for a text that is too long contains the limit and the size")
    func sizes() {
        let error = #expect(throws: ChatError.self) { try SaidText(String(repeating: "é", count: 2049)) }
        #expect(error?.limit == 4096)
        #expect(error?.value == "4098")
    }
}
