import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("Forms, queries and cookies")
struct FormTests {
    @Test(
        "WHATWG URL §5.1 application/x-www-form-urlencoded",
        arguments: [
            ("", []), ("a=1", ["a:1"]), ("a=1&b=2&a=3", ["a:1", "b:2", "a:3"]), ("a", ["a:"]), ("=1", [":1"]),
            ("&&a=1&", ["a:1"]), ("a=b=c", ["a:b=c"]), ("a+b=c%20d%2B", ["a b:c d+"]),
            ("%C3%A9=%26%3D", ["é:&="]),
            ("=", [":"]),
        ])
    func decodes(text: String, expected: [String]) throws {
        #expect(try FormURLEncoded.decode(text).map { "\($0.name):\($0.value)" } == expected)
        #expect(
            try FormURLEncoded.decode(ByteBuffer(string: text)).map { "\($0.name):\($0.value)" } == expected)
    }

    @Test(
        "WHATWG URL §5.1: what is not an escape stays as it is, and costs no other item",
        arguments: [
            ("a=1&b=%zz&c=3", ["a:1", "b:%zz", "c:3"]), ("a=100%&b=2", ["a:100%", "b:2"]),
            ("a=%4&b=%41", ["a:%4", "b:A"]), ("%=1&a=%%41", ["%:1", "a:%A"]), ("a=%2%35", ["a:%25"]),
            ("%zz%41=+%2B", ["%zzA: +"]), ("a=%", ["a:%"]), ("a=%C3%A", ["a:\u{FFFD}%A"]),
        ])
    func badEscapes(text: String, expected: [String]) throws {
        #expect(try FormURLEncoded.decode(text).map { "\($0.name):\($0.value)" } == expected)
    }

    @Test(
        "WHATWG URL §5.1: bytes that are not UTF-8 become U+FFFD, one for each maximal subpart",
        arguments: [
            ("a=%ff&b=2", ["a:\u{FFFD}", "b:2"]), ("%E2%82=x", ["\u{FFFD}:x"]),
            ("a=%C0%80", ["a:\u{FFFD}\u{FFFD}"]), ("a=%F0%9F%92x", ["a:\u{FFFD}x"]),
            ("a=%ED%A0%80", ["a:\u{FFFD}\u{FFFD}\u{FFFD}"]), ("a=%EF%BB%BFx", ["a:\u{FEFF}x"]),
        ])
    func notUTF8(text: String, expected: [String]) throws {
        #expect(try FormURLEncoded.decode(text).map { "\($0.name):\($0.value)" } == expected)
    }

    @Test("The number of items is bounded")
    func bound() throws {
        let text = repeatElement("a=1", count: 11).joined(separator: "&")
        #expect(try FormURLEncoded.decode(text, maximumItems: 11).count == 11)
        let error = #expect(throws: FormError.self) { try FormURLEncoded.decode(text, maximumItems: 10) }
        #expect(error == .tooManyItems(limit: 10, count: 11))
        #expect(error?.status == .contentTooLarge)
    }

    @Test("A list finds names and is encoded again")
    func list() throws {
        let list = try FormURLEncoded.decode("a=1&b=x%26y&a=2")
        #expect(list["a"] == "1" && list["b"] == "x&y" && list["c"] == nil)
        #expect(list.values(of: "a") == ["1", "2"])
        #expect(FormURLEncoded.encode(list) == "a=1&b=x%26y&a=2")
    }

    @Test(
        "RFC 6265 §4.2, §5.4 Cookie",
        arguments: [
            ("a=1", ["a:1"]), ("a=1; b=2", ["a:1", "b:2"]), ("a=1;b=2;", ["a:1", "b:2"]),
            ("a=\"x y\"", ["a:x y"]),
            ("a=b=c", ["a:b=c"]), ("a=", ["a:"]), ("noise; a=1", ["a:1"]), ("=x; a=1", ["a:1"]),
            ("a b=1; c=2", ["a b:1", "c:2"]), ("foo[bar]=1; b=2", ["foo[bar]:1", "b:2"]),
            ("é=1", ["é:1"]), ("\"a\"=1; (b)=2", ["\"a\":1", "(b):2"]), ("a\u{7f}=1; b=2", ["b:2"]),
            ("a\u{1}=1; b=2", ["b:2"]), ("\u{2003}__Host-a=1", ["\u{2003}__Host-a:1"]),
            ("a=1; a=2", ["a:1", "a:2"]), ("a=x,y", ["a:x,y"]), ("a=%41", ["a:%41"]),
            ("", []), (";;", []), ("a=x\u{1}y; b=1", ["b:1"]),
        ])
    func cookies(field: String, expected: [String]) {
        #expect(CookieField.parse(field).map { "\($0.name):\($0.value)" } == expected)
    }

    @Test("The number of cookies is bounded")
    func cookieBound() {
        let field = (0..<1000).map { "c\($0)=1" }.joined(separator: "; ")
        let cookies = CookieField.parse(field)
        #expect(cookies.count == CookieField.defaultMaximumCookies)
        #expect(cookies.last?.name == "c199")
    }

    @Test("Random forms and cookies are read without harm")
    func fuzz() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<3000 {
            let bytes = random.bytes("ab=&;%2+ \"", upTo: 60)
            if let list = try? FormURLEncoded.decode(ByteBuffer(bytes: bytes)) {
                #expect((try? FormURLEncoded.decode(FormURLEncoded.encode(list))) == list)
            }
            for cookie in CookieField.parse(String(decoding: bytes, as: UTF8.self)) {
                #expect(!cookie.name.isEmpty && !cookie.value.contains(";"))
            }
        }
    }
}

@Suite("RFC 6265 §4.1 Set-Cookie")
struct SetCookieTests {
    @Test("RFC 6265 §4.1.1 attributes")
    func serialises() throws {
        #expect(try SetCookie("a", "1").fieldValue == "a=1; Path=/; HttpOnly; SameSite=Lax")
        let all = try SetCookie(
            "__Secure-a", "\"x\"", path: "/p", domain: "example.com", maxAge: 60,
            expires: HTTPDate(secondsSinceEpoch: 784_111_777), secure: true,
            sameSite: SetCookie.SameSite.none,
            partitioned: true)
        #expect(
            all.fieldValue
                == "__Secure-a=\"x\"; Path=/p; Domain=example.com; Max-Age=60; Expires=Sun, 06 Nov 1994 08:49:37 GMT; "
                + "Secure; HttpOnly; SameSite=None; Partitioned")
        let bare = try SetCookie("a", "", path: nil, httpOnly: false, sameSite: nil)
        #expect(bare.fieldValue == "a=")
    }

    @Test(
        "RFC 6265 §4.1.1 values that are none",
        arguments: ["a b", "a;b", "a,b", "a\\b", "a\"b", "a\r\nX: y", "\u{0}", "é", "\"", "a\"", "\u{7f}"])
    func values(value: String) {
        #expect(throws: SetCookieError.value(name: "a")) { try SetCookie("a", value) }
    }

    @Test("RFC 6265 §4.1.1 names that are none", arguments: ["", "a b", "a=b", "a;b", "a\r\n", "é", "(a)"])
    func names(name: String) {
        #expect(throws: SetCookieError.name(name)) { try SetCookie(name, "1") }
    }

    @Test("RFC 6265 §4.1.2.4 paths that are none", arguments: ["", "p", "/a;b", "/a\r\nb", "/é", "/\u{0}"])
    func paths(path: String) {
        #expect(throws: SetCookieError.path(path)) { try SetCookie("a", "1", path: path) }
    }

    @Test(
        "RFC 6265 §4.1.2.3 domains that are none",
        arguments: ["", ".", "a..b", "-a.b", "a b", "a;b", "a\r\nb", "é.com", "..a", "a."])
    func domains(domain: String) {
        #expect(throws: SetCookieError.domain(domain)) { try SetCookie("a", "1", domain: domain) }
    }

    @Test(
        "RFC 6265 §5.2.3: a dot in front of a domain is left out; labels may hold underscores",
        arguments: [
            (".example.com", "example.com"), ("my_host.example.com", "my_host.example.com"), (".a", "a"),
            ("_a_.b", "_a_.b"),
        ])
    func writtenDomains(domain: String, written: String) throws {
        let cookie = try SetCookie("a", "1", path: nil, domain: domain, httpOnly: false, sameSite: nil)
        #expect(cookie.fieldValue == "a=1; Domain=\(written)")
    }

    @Test("The rules between attributes")
    func rules() {
        #expect(throws: SetCookieError.self) { try SetCookie("__Host-a", "1", path: "/x", secure: true) }
        #expect(throws: SetCookieError.self) { try SetCookie("__Host-a", "1", domain: "a.b", secure: true) }
        #expect(throws: SetCookieError.self) { try SetCookie("__Host-a", "1") }
        #expect(throws: SetCookieError.self) { try SetCookie("__secure-a", "1") }
        #expect(throws: SetCookieError.self) { try SetCookie("a", "1", sameSite: SetCookie.SameSite.none) }
        #expect(throws: SetCookieError.self) { try SetCookie("a", "1", partitioned: true) }
        #expect(throws: Never.self) { try SetCookie("__Host-a", "1", secure: true) }
        let long = String(repeating: "x", count: SetCookie.maximumLength)
        #expect(throws: SetCookieError.tooLong(name: "a", limit: 4096, length: 4097)) {
            try SetCookie("a", long)
        }
    }

    @Test("Whatever it is made of, what it writes is one field value")
    func fuzz() {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<3000 {
            func text() -> String { String(decoding: random.bytes("ab/.\r\n;= ", upTo: 8), as: UTF8.self) }
            guard let cookie = try? SetCookie(text(), text(), path: "/" + text()) else { continue }
            #expect(HTTPField.isValidValue(cookie.fieldValue))
            #expect(cookie.fieldValue.split(separator: ";").count == 4)
        }
    }
}
