import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("Fetch, CORS protocol: answers for pages of other origins")
struct CORSTests {
    private struct Oops: Error {}

    private static let page = "https://app.example.org"

    private func withRoutes(
        around middleware: Middleware..., declare: (RouteGroup) -> Void = CORSTests.routes,
        test: (Wire) throws -> Void
    ) throws {
        let table = RouteTable()
        declare(RouteGroup(table: table))
        table.root.use(middleware)
        let router = try table.router()
        try withWire({ try await router.handler(for: $0)($0) }, test: test)
    }

    private static func routes(_ routes: RouteGroup) {
        routes.get("/a/{id}") { _ in .text("a") }
        routes.put("/a/{id}") { _ in .text("put") }
        routes.get("/varies") { _ in Response(fields: [.vary: "Accept, Origin"], body: .string("x")) }
        routes.get("/own") { _ in Response(fields: [.accessControlAllowOrigin: "*"], body: .string("x")) }
        routes.get("/known") { _ in throw HTTPFailure(.notFound) }
        routes.get("/unknown") { _ in throw Oops() }
        routes.get("/stream") { _ in .stream { _ in throw HTTPFailure(.notFound) } }
        routes.get("/upgrade") { _ in Response(upgrade: Upgrade { _ in }, fields: [.upgrade: "x"]) }
        routes.on(.options, "/asked") { _ in .text("asked") }
    }

    private func request(_ method: String, _ path: String, _ fields: [String: String] = [:]) -> String {
        let lines = fields.map { "\($0.key): \($0.value)\r\n" }.joined()
        return "\(method) \(path) HTTP/1.1\r\nHost: h\r\n\(lines)\r\n"
    }

    private func get(_ path: String, origin: String? = CORSTests.page) -> String {
        request("GET", path, origin.map { ["Origin": $0] } ?? [:])
    }

    private func preflight(
        _ path: String, _ method: String = "PUT", origin: String = CORSTests.page, fields: String? = nil
    ) -> String {
        var all = ["Origin": origin, "Access-Control-Request-Method": method]
        all["Access-Control-Request-Headers"] = fields
        return request("OPTIONS", path, all)
    }

    /// The values of all lines of that name.
    private func values(_ name: String, _ answer: String) -> [String] {
        answer.components(separatedBy: "\r\n").filter { $0.hasPrefix(name + ": ") }
            .map { String($0.dropFirst(name.count + 2)) }
    }

    private func allowed(_ answer: String) -> [String] { values("Access-Control-Allow-Origin", answer) }

    @Test("An origin that can never match is reported when the router is made, in groups too")
    func badList() throws {
        let bad = Middleware.cors(.list([Self.page, "https://a.example/app"]))
        let outer = RouteTable()
        RouteGroup(table: outer).use(bad)
        let error = #expect(throws: OriginListError.self) { try outer.router() }
        #expect(error?.origin == "https://a.example/app")
        let table = RouteTable()
        RouteGroup(table: table).group("/a", .cors(.list(["null"]))) { $0.get("/b") { _ in .text("x") } }
        #expect(throws: OriginListError.self) { try table.router() }
    }

    @Test("Fetch, CORS protocol: an origin of the list is repeated, case and default ports do not matter")
    func list() throws {
        let cors = Middleware.cors(
            .list([Self.page, "HTTP://b.example:80/", "http://c.example:80"], credentials: true),
            exposedFields: [.eTag, .location])
        try withRoutes(around: cors) { wire in
            let answer = wire.exchange(get("/a/1"))
            #expect(allowed(answer) == [Self.page])
            #expect(values("Access-Control-Allow-Credentials", answer) == ["true"])
            #expect(values("Access-Control-Expose-Headers", answer) == ["ETag, Location"])
            #expect(values("Vary", answer) == ["Origin"])
            #expect(allowed(wire.exchange(get("/a/1", origin: "http://C.example"))) == ["http://C.example"])
            let strangers = [
                "http://app.example.org", "https://app.example.org.evil", "https://app.example.org:444",
                "null",
                "*", "http://b.example:81",
            ]
            for origin in strangers {
                let answer = wire.exchange(get("/a/1", origin: origin))
                #expect(statuses(answer) == [200], "the browser refuses, not the server")
                #expect(!answer.has("Access-Control-") && values("Vary", answer) == ["Origin"], "\(origin)")
            }
        }
    }

    @Test("RFC 9110 §12.5.5: answers that depend on the origin say so, for requests without one and once")
    func vary() throws {
        try withRoutes(around: .cors(.list([Self.page]))) { wire in
            let answer = wire.exchange(get("/a/1", origin: nil))
            #expect(allowed(answer).isEmpty && values("Vary", answer) == ["Origin"])
            #expect(values("Vary", wire.exchange(get("/varies"))) == ["Accept, Origin"])
            #expect(!wire.exchange(get("/a/1")).has("Credentials"), "only where it is said")
        }
        var fields: HTTPFields = [.vary: "Accept-Encoding,Accept"]
        fields.addVary("accept")
        fields.addVary("Origin")
        #expect(fields[.vary] == "Accept-Encoding,Accept, Origin")
        fields = [.vary: "*"]
        fields.addVary("Origin")
        #expect(fields[.vary] == "*")
    }

    @Test("Fetch, CORS protocol and HTTP caches: any origin is * for everybody, without Vary and credentials")
    func anyOrigin() throws {
        try withRoutes(around: .cors(.any)) { wire in
            for origin in [Self.page, "null", nil] {
                let answer = wire.exchange(get("/a/1", origin: origin))
                #expect(allowed(answer) == ["*"])
                #expect(!answer.has("Vary") && !answer.has("Credentials"))
            }
        }
    }

    @Test("An origin is let in by what the program says of it; two Origin fields are none")
    func matching() throws {
        let cors = Middleware.cors(.matching(credentials: true) { $0.hasSuffix(".example.org") })
        try withRoutes(around: cors) { wire in
            #expect(allowed(wire.exchange(get("/a/1"))) == [Self.page])
            #expect(allowed(wire.exchange(get("/a/1", origin: "https://evil"))).isEmpty)
            let twice = wire.exchange(
                "GET /a/1 HTTP/1.1\r\nHost: h\r\nOrigin: \(Self.page)\r\nOrigin: \(Self.page)\r\n\r\n")
            #expect(allowed(twice).isEmpty)
        }
    }

    @Test("Fetch, CORS-preflight request: it is answered 204, whatever the path has")
    func preflightAnswer() throws {
        let cors = Middleware.cors(
            .list([Self.page]), methods: [.get, .put], requestFields: [.contentType, .authorization],
            maxAge: .seconds(90))
        try withRoutes(around: cors) { wire in
            for path in ["/a/1", "/asked", "/nowhere", "*"] {
                let answer = wire.exchange(preflight(path))
                #expect(statuses(answer) == [204], "\(path)")
                #expect(allowed(answer) == [Self.page])
                #expect(values("Access-Control-Allow-Methods", answer) == ["GET, PUT"])
                #expect(values("Access-Control-Allow-Headers", answer) == ["Content-Type, Authorization"])
                #expect(values("Access-Control-Max-Age", answer) == ["90"])
                #expect(values("Vary", answer) == ["Origin"])
            }
            let stranger = wire.exchange(preflight("/a/1", origin: "https://evil"))
            #expect(statuses(stranger) == [204] && !stranger.has("Access-Control-"))
            #expect(values("Vary", stranger) == ["Origin"])
        }
    }

    @Test("OPTIONS without Origin, or without a method that is asked for, is no preflight")
    func noPreflight() throws {
        try withRoutes(around: .cors(.list([Self.page]))) { wire in
            let plain = wire.exchange(request("OPTIONS", "/a/1", ["Origin": Self.page]))
            #expect(values("Allow", plain) == ["GET, HEAD, PUT, OPTIONS"] && allowed(plain) == [Self.page])
            let noOrigin = request("OPTIONS", "/asked", ["Access-Control-Request-Method": "PUT"])
            #expect(content(wire.exchange(noOrigin)) == "asked")
        }
    }

    @Test("Fetch, Access-Control-Allow-Headers: all that is asked for is repeated where that is wanted")
    func requestFields() throws {
        try withRoutes(around: .cors(.any, requestFields: nil, maxAge: nil)) { wire in
            let answer = wire.exchange(preflight("/a/1", fields: "x-one,x-two"))
            #expect(values("Access-Control-Allow-Headers", answer) == ["x-one,x-two"])
            #expect(values("Vary", answer) == ["Access-Control-Request-Headers"])
            #expect(!answer.has("Max-Age"))
            #expect(!wire.exchange(preflight("/a/1", fields: "x <y>")).has("Allow-Headers"))
        }
        try withRoutes(around: .cors(.any, requestFields: [])) { wire in
            #expect(!wire.exchange(preflight("/a/1", fields: "x-one")).has("Allow-Headers"))
        }
    }

    @Test(
        "The policy of a group answers preflights for its routes, by the method they ask for, and no others")
    func group() throws {
        try withRoutes { routes in
            routes.get("/shared") { _ in .text("own pages only") }
            routes.group("", .cors(.list([Self.page]))) { group in
                group.put("/shared") { _ in .text("put") }
                group.get("/b/{id}") { _ in .text("b") }
            }
            routes.group("/c", .cors(.any)) { $0.group("/d") { $0.get("/{rest...}") { _ in .text("c") } } }
        } test: { wire in
            #expect(allowed(wire.exchange(preflight("/shared", "PUT"))) == [Self.page])
            #expect(allowed(wire.exchange(preflight("/b/1", "GET"))) == [Self.page])
            #expect(allowed(wire.exchange(preflight("/b/1", "HEAD"))) == [Self.page])
            #expect(allowed(wire.exchange(preflight("/c/d/e/f", "GET"))) == ["*"])
            for (path, method) in [("/shared", "GET"), ("/shared", "PATCH"), ("/b/1", "PUT")] {
                let answer = wire.exchange(preflight(path, method))
                #expect(statuses(answer) == [204] && allowed(answer).isEmpty, "\(method) \(path)")
                #expect(answer.has("\r\nAllow: "))
            }
            #expect(statuses(wire.exchange(preflight("/nowhere", "GET"))) == [404])
            #expect(allowed(wire.exchange(get("/shared"))).isEmpty)
            #expect(allowed(wire.exchange(get("/b/1"))) == [Self.page])
        }
    }

    @Test("Middleware of a group that answers a preflight's route sees the route and its parameters")
    func groupSeesRoute() throws {
        let notes = Notes()
        let note = Middleware { request, next in
            notes.add("\(request.pattern) \(request.parameters["id"] ?? "")")
            return try await next(request)
        }
        try withRoutes { routes in
            routes.group("", note, .cors(.any)) { $0.get("/b/{id}") { _ in .text("b") } }
        } test: { wire in
            _ = wire.exchange(preflight("/b/7", "GET"))
            #expect(notes.lines == ["/b/{id} 7"])
        }
    }

    @Test(
        "Errors carry the fields too: thrown for clients, thrown by mistake, and from a stream at its start")
    func errors() throws {
        try withRoutes(around: .requestID, .cors(.list([Self.page])), .securityHeaders()) { wire in
            let cases = [("/known", 404), ("/unknown", 500), ("/stream", 404), ("/nowhere", 404)]
            for (path, status) in cases {
                let answer = wire.exchange(get(path))
                #expect(statuses(answer) == [status])
                #expect(allowed(answer) == [Self.page] && values("Vary", answer) == ["Origin"], "\(path)")
            }
            let put = wire.exchange(request("POST", "/a/1", ["Origin": Self.page, "Content-Length": "0"]))
            #expect(statuses(put) == [405] && allowed(put) == [Self.page])
        }
    }

    @Test("An answer has one Access-Control-Allow-Origin: its own, or that of the innermost policy")
    func once() throws {
        try withRoutes(around: .cors(.list([Self.page])), .cors(.any)) { wire in
            for path in ["/a/1", "/known", "/unknown", "/stream"] {
                #expect(allowed(wire.exchange(get(path))) == ["*"], "\(path)")
            }
        }
        try withRoutes(around: .cors(.list([Self.page]))) { wire in
            #expect(allowed(wire.exchange(get("/own"))) == ["*"])
        }
    }

    @Test("RFC 9110 §7.8: a change of protocol passes untouched")
    func upgrade() throws {
        try withRoutes(around: .cors(.list([Self.page], credentials: true))) { wire in
            let answer = wire.exchange(get("/upgrade"))
            #expect(statuses(answer) == [101])
            #expect(!answer.has("Access-Control") && !answer.has("Vary"))
        }
    }
}
