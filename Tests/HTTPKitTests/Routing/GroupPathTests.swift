import HTTPTypes
import NIOCore
import Synchronization
import Testing

@testable import HTTPKit

@Suite("Paths of groups and routes")
struct GroupPathTests {
    private func withRoutes(
        trailingSlash: TrailingSlash = .redirect, _ declare: (RouteGroup) -> Void,
        test: (Wire) throws -> Void
    ) throws {
        let table = RouteTable()
        declare(RouteGroup(table: table))
        let router = try table.router(trailingSlash: trailingSlash)
        try withWire({ try await router.handler(for: $0)($0) }, test: test)
    }

    private func request(_ method: String, _ target: String, _ fields: String = "") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    @Test(
        "a prefix and a path meet at one slash, whichever has it",
        arguments: [
            ("", "", "/"), ("", "/", "/"), ("/", "/", "/"), ("/", "", "/"), ("", "x", "/x"), ("", "/x", "/x"),
            ("/", "x", "/x"), ("/", "/x", "/x"), ("/api", "x", "/api/x"), ("/api", "/x", "/api/x"),
            ("/api/", "/x", "/api/x"), ("/api/", "x", "/api/x"), ("api", "x", "/api/x"),
            ("/todos", "/", "/todos"), ("/todos", "", "/todos"), ("/todos/", "/", "/todos"),
            ("/api", "/x/", "/api/x/"), ("/a/b", "c/d", "/a/b/c/d"), ("/{t}", "{id}", "/{t}/{id}"),
            ("/api", "\u{301}x", "/api/\u{301}x"),
        ])
    func joined(prefix: String, path: String, pattern: String) throws {
        try withRoutes(trailingSlash: .exact) { routes in
            routes.group(prefix) { $0.get(path) { .text($0.pattern) } }
        } test: { wire in
            let target = pattern.unicodeScalars.map { scalar in
                switch scalar {
                case "{", "}": ""
                case "\u{301}": "%CC%81"
                default: String(scalar)
                }
            }.joined()
            let answer = wire.exchange(request("GET", target))
            #expect(statuses(answer) == [200])
            #expect(Array(content(answer).utf8) == Array(pattern.utf8))
        }
    }

    @Test("groups within groups join alike; two slashes are a mistake that is reported")
    func nested() throws {
        try withRoutes { routes in
            routes.group("/a/") { $0.group("b") { $0.group("/") { $0.get("c") { .text($0.pattern) } } } }
        } test: { wire in
            #expect(content(wire.exchange(request("GET", "/a/b/c"))) == "/a/b/c")
        }
        let table = RouteTable()
        RouteGroup(table: table).group("/a") { $0.get("//x") { _ in .text("") } }
        #expect(throws: PathPatternError.emptySegment(pattern: "/a//x", at: 3)) { try table.router() }
    }

    static let slashes: [(method: String, target: String, status: Int, location: String?)] = [
        ("GET", "/todos", 200, nil), ("GET", "/todos/", 301, "/todos"), ("HEAD", "/todos/", 301, "/todos"),
        ("POST", "/todos/", 308, "/todos"), ("GET", "/todos/?a=b/&c", 301, "/todos?a=b/&c"),
        ("GET", "/docs", 301, "/docs/"), ("GET", "/docs/", 200, nil), ("GET", "/docs?q", 301, "/docs/?q"),
        ("GET", "/item/7/", 301, "/item/7"), ("GET", "/item/a%20b/", 301, "/item/a%20b"),
        ("GET", "/rest", 301, "/rest/"), ("GET", "/both", 200, nil), ("GET", "/both/", 200, nil),
        ("GET", "http://h/todos/", 301, "/todos"),
        ("GET", "/nowhere/", 404, nil), ("GET", "/a/b/", 404, nil), ("PUT", "/docs", 404, nil),
    ]

    @Test("a slash more or less at the end is redirected to the route, for good", arguments: slashes)
    func redirected(method: String, target: String, status: Int, location: String?) throws {
        try withRoutes(Self.slashRoutes) { wire in
            let answer = wire.exchange(request(method, target))
            #expect(statuses(answer) == [status])
            #expect(answer.has("\r\nLocation: ") == (location != nil))
            if let location { #expect(answer.has("\r\nLocation: \(location)\r\n")) }
        }
    }

    @Test(
        "no redirect leads to another host",
        arguments: [
            ("//evil.example/", nil), ("/%5Cevil.example/", "/%5Cevil.example"),
            ("/%2Fevil.example/", "/%2Fevil.example"),
            ("///", nil), ("//", nil),
        ])
    func otherHost(target: String, location: String?) throws {
        try withRoutes { routes in
            routes.get("/{name}") { _ in .text("name") }
            routes.get("/{name}/{other}") { _ in .text("other") }
        } test: { wire in
            let answer = wire.exchange(request("GET", target))
            #expect(answer.has("\r\nLocation: ") == (location != nil))
            if let location { #expect(answer.has("\r\nLocation: \(location)\r\n")) }
        }
    }

    @Test("where it is exact, both are two paths", arguments: ["/todos/", "/docs", "/item/7/"])
    func exact(target: String) throws {
        try withRoutes(trailingSlash: .exact, Self.slashRoutes) { wire in
            #expect(statuses(wire.exchange(request("GET", target))) == [404])
        }
    }

    private static func slashRoutes(_ routes: RouteGroup) {
        routes.group("/todos") {
            $0.get("/") { _ in .text("todos") }
            $0.post("/") { _ in .text("made") }
        }
        routes.get("/docs/") { _ in .text("docs") }
        routes.get("/item/{id}") { _ in .text("item") }
        routes.get("/rest/{rest...}") { _ in .text("rest") }
        routes.get("/both") { _ in .text("one") }
        routes.get("/both/") { _ in .text("two") }
    }

    @Test("a declaration behind the start is reported and not taken")
    func late() throws {
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        routes.get("/early") { _ in .text("early") }
        let late = Mutex<[String]>([])
        table.seal { what in late.withLock { $0.append(what) } }
        routes.group("/g") { $0.post("late") { _ in .text("late") } }
        #expect(late.withLock { $0 } == ["POST /g/late"])
        #expect(try table.router().trie.count == 1)
    }

    @Test("middleware that has handed a request on does not see its copy change")
    func sharedRequest() throws {
        let notes = Notes()
        let outer = Middleware { request, next in
            let kept = request
            let response = try await next(request)
            notes.add("outer \(kept.pattern)")
            return response
        }
        let inner = Middleware { request, next in
            notes.add("inner \(request.pattern)")
            return try await next(request)
        }
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        routes.use(outer)
        routes.group("/g", inner) { $0.get("{id}") { _ in .text("x") } }
        let router = try table.router()
        try withWire({ try await router.handler(for: $0)($0) }) { wire in
            wire.send(
                request("OPTIONS", "/g/1", "Origin: https://x\r\nAccess-Control-Request-Method: GET\r\n"))
            #expect(notes.lines == ["inner /g/{id}", "outer "])
        }
    }
}

@Suite("The middleware of groups, for what no route takes")
struct GroupScopeTests {
    private struct Oops: Error {}

    private func withRoutes(
        _ declare: (RouteGroup) -> Void, test: (Wire) throws -> Void
    ) throws {
        let table = RouteTable()
        declare(RouteGroup(table: table))
        let router = try table.router()
        try withWire({ try await router.handler(for: $0)($0) }, test: test)
    }

    private func request(_ method: String, _ target: String, _ fields: String = "") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: h\r\nOrigin: https://app.example\r\n\(fields)\r\n"
    }

    @Test(
        "Fetch, CORS protocol: every error below a group has the fields of its policy",
        arguments: [
            ("GET", "/api/ok", 200, true), ("GET", "/api/known", 409, true),
            ("GET", "/api/unknown", 500, true),
            ("GET", "/api/stream", 404, true), ("GET", "/api/nowhere", 404, true), ("GET", "/api", 404, true),
            ("GET", "/api/", 404, true), ("DELETE", "/api/ok", 405, true), ("BREW", "/api/ok", 501, true),
            ("GET", "/api/%zz", 400, true), ("GET", "/api/ok/", 301, true), ("OPTIONS", "/api/ok", 204, true),
            ("GET", "/%61pi/nowhere", 404, true), ("GET", "/apix", 404, false),
            ("GET", "/nowhere", 404, false),
            ("DELETE", "/out", 405, false), ("GET", "//api/x", 404, false),
        ])
    func cors(method: String, target: String, status: Int, hasPolicy: Bool) throws {
        try withRoutes { routes in
            routes.get("/out") { _ in .text("out") }
            routes.group("/api", .cors(.any)) { api in
                api.get("ok") { _ in .text("ok") }
                api.get("known") { _ in throw HTTPFailure(.conflict) }
                api.get("unknown") { _ in throw Oops() }
                api.get("stream") { _ in .stream { _ in throw HTTPFailure(.notFound) } }
            }
        } test: { wire in
            let answer = wire.exchange(request(method, target))
            #expect(statuses(answer) == [status])
            #expect(answer.has("\r\nAccess-Control-Allow-Origin: *\r\n") == hasPolicy)
        }
    }

    @Test("a preflight for a path or a method without a route is answered by the policy of its group")
    func preflight() throws {
        try withRoutes { routes in
            routes.group("/api", .cors(.any)) { $0.get("ok") { _ in .text("ok") } }
        } test: { wire in
            let asked = "Access-Control-Request-Method: PUT\r\n"
            for path in ["/api/ok", "/api/nowhere"] {
                let answer = wire.exchange(request("OPTIONS", path, asked))
                #expect(
                    statuses(answer) == [204] && answer.has("Access-Control-Allow-Origin: *\r\n"), "\(path)")
            }
            #expect(statuses(wire.exchange(request("OPTIONS", "/nowhere", asked))) == [404])
        }
    }

    @Test("a group's prefix that is no pattern is reported, though no route is below it")
    func badPrefix() throws {
        let table = RouteTable()
        RouteGroup(table: table).group("/a//b", .cors(.any)) { _ in }
        #expect(throws: PathPatternError.emptySegment(pattern: "/a//b", at: 3)) { try table.router() }
    }
}
