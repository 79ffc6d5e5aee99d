import HTTPKit
import HTTPTypes
import NIOCore
import Testing

@Suite("Route lookup")
struct RouteTrieTests {
    static let declared = [
        "GET /", "GET /a", "POST /a", "GET /a/", "GET /a/{x}", "POST /a/b", "GET /a/{x}/c", "GET /a/b/d",
        "GET /files/{rest...}", "GET /files/{name}/raw", "GET /a b/käse", "PUT /users/{id}",
        "DELETE /users/{name}", "HEAD /users/{id}", "GET /{p}/{q}/{r}/{s}/{t}/{u}", "PROPFIND /dav/{rest...}",
        "GET /dav/x", "GET /self", "HEAD /self",
    ]

    static let cases: [(HTTPRequest.Method, String, RouteAnswer)] = [
        (.get, "", .found("GET /", [])),
        (.get, "/", .found("GET /", [])),
        (.get, "//", .notFound),
        (.get, "/a", .found("GET /a", [])),
        (.post, "/a", .found("POST /a", [])),
        (.get, "/a/", .found("GET /a/", [])),
        (.get, "/A", .notFound),
        (.get, "/ab", .notFound),
        (.head, "/a", .found("GET /a", [])),
        (.head, "/self", .found("HEAD /self", [])),
        (.get, "/self", .found("GET /self", [])),
        (.get, "/a/x", .found("GET /a/{x}", ["x"])),
        (.get, "/a/b", .found("GET /a/{x}", ["b"])),
        (.post, "/a/b", .found("POST /a/b", [])),
        (.put, "/a/b", .methodNotAllowed([.get, .head, .post])),
        (.put, "/a/x", .methodNotAllowed([.get, .head])),
        (.get, "/a/b/c", .found("GET /a/{x}/c", ["b"])),
        (.get, "/a/b/d", .found("GET /a/b/d", [])),
        (.get, "/a/b/e", .notFound),
        (.get, "/a//c", .notFound),
        (.get, "/files", .notFound),
        (.get, "/files/", .found("GET /files/{rest...}", [""])),
        (.get, "/files/x", .found("GET /files/{rest...}", ["x"])),
        (.get, "/files/x/raw", .found("GET /files/{name}/raw", ["x"])),
        (.get, "/files/x/raw/", .found("GET /files/{rest...}", ["x/raw/"])),
        (.get, "/files/x//y", .found("GET /files/{rest...}", ["x//y"])),
        (.get, "/files/x%2Fraw", .found("GET /files/{rest...}", ["x/raw"])),
        (.post, "/files/x/raw", .methodNotAllowed([.get, .head])),
        (.get, "/a%20b/k%C3%A4se", .found("GET /a b/käse", [])),
        (.get, "/a%20b/kase", .notFound),
        (.get, "/%61", .found("GET /a", [])),
        (.get, "/a%2Fb", .notFound),
        (.get, "/a/x%2Fy", .found("GET /a/{x}", ["x/y"])),
        (.get, "/a/%2525", .found("GET /a/{x}", ["%25"])),
        (.get, "/a/+", .found("GET /a/{x}", ["+"])),
        (.get, "/a/%FF", .found("GET /a/{x}", ["not UTF-8"])),
        (.get, "/a/%4", .badEncoding),
        (.get, "/nowhere/%", .badEncoding),
        (.get, "/nowhere/%zz/x", .badEncoding),
        (.get, "/a/../%", .badEncoding),
        (.get, "/a/..", .dotSegment),
        (.get, "/files/x/../y", .dotSegment),
        (.get, "/files/%2e%2E/y", .dotSegment),
        (.get, "/./a", .dotSegment),
        (.get, "/files/...", .found("GET /files/{rest...}", ["..."])),
        (.put, "/users/1", .found("PUT /users/{id}", ["1"])),
        (.delete, "/users/1", .found("DELETE /users/{name}", ["1"])),
        (.get, "/users/1", .methodNotAllowed([.head, .put, .delete])),
        (.get, "/1/2/3/4/5/6", .found("GET /{p}/{q}/{r}/{s}/{t}/{u}", ["1", "2", "3", "4", "5", "6"])),
        (.get, "/1/2/3/4/5/", .notFound),
        (.get, "/dav/x", .found("GET /dav/x", [])),
        (.put, "/dav/x", .methodNotAllowed([.get, .head] + [propfind])),
        (propfind, "/dav/x", .found("PROPFIND /dav/{rest...}", ["x"])),
        (.get, "a", .notFound),
    ]

    static let propfind = HTTPRequest.Method("PROPFIND") ?? .get

    @Test("the most specific route of the method answers", arguments: cases)
    func lookup(method: HTTPRequest.Method, path: String, expected: RouteAnswer) throws {
        let trie = try RouteTrie(testRoutes(Self.declared))
        #expect(trie.answer(method, path) == expected)
        let reversed = try RouteTrie(testRoutes(Self.declared.reversed()))
        #expect(reversed.answer(method, path) == expected)
    }

    @Test("a path outside of its buffer is not found")
    func outside() throws {
        let trie = try RouteTrie(testRoutes(["GET /"]))
        guard case .notFound = trie.lookup(.get, in: ByteBuffer(string: "/"), path: 0..<2) else {
            Issue.record("a range beyond the buffer was looked up")
            return
        }
    }

    @Test(
        "two routes for the same requests are an error naming both",
        arguments: [
            ("GET /a/{x}", "GET /a/{y}"), ("GET /", "GET /"), ("PUT /{r...}", "PUT /{s...}"),
            ("X-Y /a", "X-Y /a"),
            ("HEAD /a", "HEAD /a"),
        ])
    func conflict(first: String, second: String) throws {
        let routes = try testRoutes([first, "GET /other", second])
        let expected = RouteConflict(method: routes[0].0, first: routes[0].1, second: routes[2].1)
        #expect(throws: expected) { try RouteTrie(routes) }
        #expect("\(expected)".contains(first) && "\(expected)".contains(second))
    }

    @Test("an empty trie finds nothing")
    func empty() throws {
        let trie = try RouteTrie(testRoutes([]))
        #expect(trie.count == 0)
        #expect(trie.answer(.get, "/") == .notFound)
    }

    @Test("10,000 routes are all found, beside each other and below each other")
    func manyRoutes() throws {
        var texts: [String] = []
        for index in 0..<10_000 {
            switch index % 4 {
            case 0: texts.append("GET /flat-\(index)")
            case 1: texts.append("GET /deep/\(index % 97)/x\(index)/{id}")
            case 2: texts.append("POST /api/{version}/r\(index)")
            default: texts.append("GET /f/\(index)/{rest...}")
            }
        }
        let trie = try RouteTrie(testRoutes(texts))
        #expect(trie.count == 10_000)
        for index in 0..<10_000 {
            let text = texts[index]
            let (method, path, parameters): (HTTPRequest.Method, String, [String]) =
                switch index % 4 {
                case 0: (.get, "/flat-\(index)", [])
                case 1: (.get, "/deep/\(index % 97)/x\(index)/7", ["7"])
                case 2: (.post, "/api/v1/r\(index)", ["v1"])
                default: (.get, "/f/\(index)/a/b", ["a/b"])
                }
            #expect(trie.answer(method, path) == .found(text, parameters))
        }
        #expect(trie.answer(.get, "/flat-1") == .notFound)
        #expect(trie.answer(.get, "/flat-%30") == .found("GET /flat-0", []))
    }
}

@Suite("Path parameters")
struct PathParametersTests {
    private func parameters(_ pattern: String, _ path: String) throws -> PathParameters {
        let trie = try RouteTrie([(HTTPRequest.Method.get, PathPattern(pattern), 0)])
        guard
            case .found(_, let found) = trie.lookup(
                .get, in: ByteBuffer(string: path), path: 0..<path.utf8.count)
        else { throw HTTPFailure(.notFound) }
        return found
    }

    @Test("values are decoded, and typed when asked")
    func values() throws {
        let found = try parameters("/p/{id}/{name}/{on}", "/p/-12/a%20%C3%BC%2F/true")
        #expect(found.names == ["id", "name", "on"])
        #expect(found["name"] == "a ü/")
        #expect(found.raw("name") == "a%20%C3%BC%2F")
        #expect(try found.require("id", as: Int.self) == -12)
        #expect(try found.require("on", as: Bool.self))
        #expect(found["other"] == nil)
        #expect(found.raw("other") == nil)
        #expect(found.pattern?.text == "/p/{id}/{name}/{on}")
    }

    @Test("an error names the parameter, its value and the wanted type, and knows its status")
    func errors() throws {
        let found = try parameters(
            "/{id}/{bad}/{long}", "/twelve/%C3%28/" + String(repeating: "9", count: 500))
        let wrong = #expect(throws: ParameterError.self) { try found.require("id", as: Int.self) }
        #expect(wrong?.status == .notFound)
        #expect(wrong?.message == "the path parameter \"id\" is \"twelve\", which is not an integer")
        let text = #expect(throws: ParameterError.self) { try found.require("bad") }
        #expect(text?.status == .badRequest)
        #expect(found["bad"] == nil)
        let long = #expect(throws: ParameterError.self) { try found.require("long", as: Int.self) }
        #expect((long?.message.utf8.count ?? 1000) < 150)
        let missing = #expect(throws: ParameterError.self) { try found.require("nope") }
        #expect(missing?.status == .internalServerError)
        #expect(PathParameters()["id"] == nil)
    }

    @Test(
        "a query's errors are the client's: 400",
        arguments: [.missing, .notUTF8, .wrongType(value: "x", wanted: "Int")] as [ParameterError.Reason])
    func queryStatus(reason: ParameterError.Reason) {
        #expect(ParameterError(.query, "page", reason).status == .badRequest)
        #expect(ParameterError(.query, "page", reason).message.contains("\"page\""))
    }
}
