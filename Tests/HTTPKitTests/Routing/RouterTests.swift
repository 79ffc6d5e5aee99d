import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §9: methods and routes on a connection")
struct RouterTests {
    private struct Oops: Error {}

    private func withRoutes(
        isProxy: Bool = false, _ declare: (RouteGroup) -> Void, test: (Wire) throws -> Void
    ) throws {
        let table = RouteTable()
        declare(RouteGroup(table: table))
        let router = try table.router()
        try withWire(isProxy: isProxy, { try await router.handler(for: $0)($0) }, test: test)
    }

    private func allow(_ answer: String) -> [String] {
        let line = answer.components(separatedBy: "\r\n").first { $0.hasPrefix("Allow: ") } ?? ""
        return line.dropFirst(7).split(separator: ", ").map(String.init)
    }

    private func request(_ method: String, _ target: String, host: String = "h") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n"
    }

    private static func routes(_ routes: RouteGroup) {
        routes.get("/") { _ in .text("root") }
        routes.get("/a/{id}") { .text(try $0.parameters.require("id")) }
        routes.post("/a/{id}") { _ in .text("posted") }
        routes.get("/n/{number}") { .text("\(try $0.parameters.require("number", as: Int.self) + 1)") }
        routes.get("/q") { .text("\(try $0.query.require("n", as: Int.self))") }
        routes.get("/page") { .text("\(try $0.query.value("n", as: Int.self) ?? 1)") }
        if let query = HTTPRequest.Method("QUERY") { routes.on(query, "/own") { _ in .text("own") } }
    }

    @Test(
        "RFC 9110 §15.5.6, §10.2.1: a known method that is absent is 405 with Allow",
        arguments: ["PUT", "DELETE", "TRACE"])
    func methodNotAllowed(method: String) throws {
        try withRoutes(Self.routes) { wire in
            let answer = wire.exchange(request(method, "/a/1"))
            #expect(statuses(answer) == [405])
            #expect(allow(answer) == ["GET", "HEAD", "POST", "OPTIONS"])
            #expect(!wire.isEnded)
        }
    }

    @Test(
        "RFC 9110 §9.1, §15.6.2: an unknown method is 501 wherever it is tried",
        arguments: ["FOO", "get", "PROPFIND"])
    func unknownMethod(method: String) throws {
        try withRoutes(Self.routes) { wire in
            #expect(statuses(wire.exchange(request(method, "/a/1"))) == [501])
            #expect(statuses(wire.exchange(request(method, "/nowhere"))) == [501])
            #expect(!wire.isEnded)
        }
    }

    @Test("RFC 9110 §9.1: a method that a route declares is known")
    func ownMethod() throws {
        try withRoutes(Self.routes) { wire in
            #expect(content(wire.exchange(request("QUERY", "/own"))) == "own")
            let answer = wire.exchange(request("QUERY", "/a/1"))
            #expect(statuses(answer) == [405])
            #expect(allow(wire.exchange(request("GET", "/own"))) == ["OPTIONS", "QUERY"])
        }
    }

    @Test("RFC 9110 §9.3.7, RFC 9112 §3.2.4: OPTIONS of the server, and of a route")
    func options() throws {
        try withRoutes(Self.routes) { wire in
            for target in ["*", "http://h"] {
                let answer = wire.exchange(request("OPTIONS", target))
                #expect(statuses(answer) == [204])
                #expect(
                    allow(answer) == ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"])
            }
            let route = wire.exchange(request("OPTIONS", "/a/1"))
            #expect(statuses(route) == [204])
            #expect(allow(route) == ["GET", "HEAD", "POST", "OPTIONS"])
            #expect(statuses(wire.exchange(request("OPTIONS", "/nowhere"))) == [404])
        }
    }

    @Test("RFC 9110 §9.3.6: CONNECT is refused and closes")
    func connect() throws {
        try withRoutes(Self.routes) { wire in
            #expect(statuses(wire.exchange(request("CONNECT", "h:80", host: "h:80"))) == [501])
            #expect(wire.isEnded)
        }
    }

    @Test("RFC 9112 §3.2.2, RFC 9110 §4.2.3: an absolute target is routed by its path; none is /")
    func absoluteForm() throws {
        try withRoutes(Self.routes) { wire in
            #expect(content(wire.exchange(request("GET", "http://h"))) == "root")
            #expect(content(wire.exchange(request("GET", "http://h?x"))) == "root")
            #expect(content(wire.exchange(request("GET", "HTTP://h/a/7?x"))) == "7")
        }
    }

    @Test(
        "RFC 3986 §2.1, §2.4: a segment is decoded once, behind routing; bad escapes and dot segments are 400"
    )
    func decoding() throws {
        try withRoutes(Self.routes) { wire in
            #expect(content(wire.exchange(request("GET", "/a/x%2Fy%2525"))) == "x/y%25")
            for path in ["/a/%", "/a/%2", "/a/%zz", "/a/..", "/a/%2e%2E", "/./a/1", "/a/%00"] {
                #expect(statuses(wire.exchange(request("GET", path))) == [400], "\(path)")
            }
            #expect(statuses(wire.exchange(request("GET", "/nowhere"))) == [404])
        }
    }

    @Test("RFC 9110 §15.5.1, §15.5.5: a wrong type is 404 in a path and 400 in a query, and named")
    func typedParameters() throws {
        try withRoutes(Self.routes) { wire in
            #expect(content(wire.exchange(request("GET", "/n/41"))) == "42")
            #expect(statuses(wire.exchange(request("GET", "/n/x"))) == [404])
            #expect(content(wire.exchange(request("GET", "/q?n=%33"))) == "3")
            for query in ["/q?n=x", "/q", "/q?n=%"] {
                #expect(statuses(wire.exchange(request("GET", query))) == [400], "\(query)")
            }
            #expect(content(wire.exchange(request("GET", "/q?n=elf"))).has("elf"))
            #expect(content(wire.exchange(request("GET", "/page"))) == "1")
            #expect(content(wire.exchange(request("GET", "/page?n=7&n=8"))) == "7")
            #expect(statuses(wire.exchange(request("GET", "/page?n="))) == [400])
        }
    }

    static let places: [(path: String, status: Int, content: String)] = [
        ("/f/a/b", 200, "a/b"), ("/f/", 200, ""), ("/f/a%20b/c%2B", 200, "a b/c+"),
        ("/f/a//b/", 200, "a//b/"),
        ("/f/..a/b..", 200, "..a/b.."), ("/f/a%252Fb", 200, "a%2Fb"),
        ("/f/a%2F..%2F..%2Fetc%2Fpasswd", 400, ""), ("/f/a%2fb", 400, ""), ("/f/a%5Cb", 400, ""),
        ("/f/..%5C..%5Cx", 400, ""), ("/f/%2Fetc/passwd", 400, ""), ("/f//etc/passwd", 400, ""),
        ("/f/..%2Fx", 400, ""), ("/f/x%2F.", 400, ""), ("/f/%2E%2E%2Fx", 400, ""),
        ("/one/a%2Fb", 200, "a/b"), ("/one/@scope%2Fname", 200, "@scope/name"), ("/one/a%5Cb", 200, "a\\b"),
        ("/one/..%2Fx", 400, ""), ("/one/x%2F..", 400, ""), ("/one/x%5C..%5Cy", 400, ""),
        ("/one/%2E%2E%5Cx", 400, ""), ("/one/..", 400, ""), ("/one/...", 200, "..."),
        ("/list/a/b%20c//d/", 200, "a|b c|d"), ("/list/", 200, ""), ("/list//a", 200, "a"),
        ("/list/a%2Fb", 400, ""), ("/list/..%2Fb", 400, ""),
        ("/raw/a%2F..%2Fb", 200, "a%2F..%2Fb"),
    ]

    @Test(
        "RFC 3986 §3.3: a decoded separator or dot segment gets no handler that does not ask for it",
        arguments: places)
    func decodedSeparators(path: String, status: Int, text: String) throws {
        try withRoutes { routes in
            routes.get("/f/{rest...}") { .text(try $0.parameters.require("rest")) }
            routes.get("/one/{name}") { .text(try $0.parameters.require("name")) }
            routes.get("/list/{rest...}") {
                .text(try $0.parameters.segments("rest").joined(separator: "|"))
            }
            routes.get("/raw/{rest...}") { .text($0.parameters.raw("rest") ?? "none") }
        } test: { wire in
            let answer = wire.exchange(request("GET", path))
            #expect(statuses(answer) == [status])
            if status == 200 { #expect(content(answer) == text) }
        }
    }

    @Test("RFC 9110 §9.3.2: HEAD is found with GET")
    func head() throws {
        try withRoutes(Self.routes) { wire in
            let answer = wire.exchange(request("HEAD", "/a/123"))
            #expect(answer.has("\r\nContent-Length: 3\r\n") && content(answer).isEmpty)
        }
    }

    @Test("Middleware of groups stands in order around the handlers below it, and nowhere else")
    func middleware() throws {
        func mark(_ text: String) -> Middleware {
            Middleware { request, next in
                var response = try await next(request)
                response.fields.append(HTTPField(name: .via, value: text))
                return response
            }
        }
        try withRoutes { routes in
            routes.get("/out") { _ in .text("x") }
            routes.group("/g", mark("1"), mark("2")) { group in
                group.group("/h", mark("3")) { $0.get("/in") { _ in .text("x") } }
            }
        } test: { wire in
            #expect(wire.exchange(request("GET", "/g/h/in")).has("Via: 3\r\nVia: 2\r\nVia: 1\r\n"))
            #expect(!wire.exchange(request("GET", "/out")).has("Via"))
        }
    }

    @Test("The request id of a client that is no trusted proxy is not taken")
    func foreignRequestID() throws {
        try withRoutes { routes in
            routes.group("", .requestID) { $0.get("/ok") { .text($0.id ?? "none") } }
        } test: { wire in
            let answer = wire.exchange("GET /ok HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc\r\n\r\n")
            #expect(content(answer).utf8.count == 16 && content(answer) != "abc")
        }
    }

    @Test(
        "The request id of a trusted proxy is kept when it is plain, and comes back on errors of every kind")
    func requestID() throws {
        try withRoutes(isProxy: true) { routes in
            routes.group("", .requestID) { group in
                group.get("/ok") { .text($0.id ?? "none") }
                group.get("/known") { _ in throw HTTPFailure(.notFound) }
                group.get("/unknown") { _ in throw Oops() }
            }
        } test: { wire in
            func get(_ path: String, _ id: String) -> String {
                wire.exchange("GET \(path) HTTP/1.1\r\nHost: h\r\nX-Request-Id: \(id)\r\n\r\n")
            }
            #expect(content(get("/ok", "abc")) == "abc")
            for (path, status) in [("/ok", 200), ("/known", 404), ("/unknown", 500)] {
                let answer = get(path, "abc")
                #expect(statuses(answer) == [status])
                #expect(answer.has("\r\nX-Request-Id: abc\r\n"), "\(path)")
            }
            let long = String(repeating: "x", count: 200)
            #expect(content(get("/ok", long)).utf8.count == 16)
            #expect(content(get("/ok", "a b")).utf8.count == 16)
        }
    }

    @Test("Safety fields are set where an answer has none, on errors too, and not over what it has")
    func securityHeaders() throws {
        try withRoutes { routes in
            routes.group("", .securityHeaders()) { group in
                group.get("/ok") { _ in Response(fields: [.contentSecurityPolicy: "own"]) }
                group.get("/known") { _ in throw HTTPFailure(.notFound) }
            }
        } test: { wire in
            let answer = wire.exchange(request("GET", "/ok"))
            #expect(answer.has("Content-Security-Policy: own\r\n"))
            #expect(!answer.has("default-src"))
            #expect(answer.has("X-Content-Type-Options: nosniff\r\n"))
            let error = wire.exchange(request("GET", "/known"))
            #expect(statuses(error) == [404])
            #expect(error.has("X-Content-Type-Options: nosniff\r\n"))
        }
    }

    @Test("What a stream throws before its first octet is answered with the middleware's fields")
    func failingStream() throws {
        try withRoutes { routes in
            routes.group("", .requestID, .securityHeaders()) { group in
                group.get("/known") { _ in .stream { _ in throw HTTPFailure(.notFound) } }
                group.get("/unknown") { _ in .stream { _ in throw Mistake() } }
            }
        } test: { wire in
            for (path, status) in [("/known", 404), ("/unknown", 500)] {
                let answer = wire.exchange(request("GET", path))
                #expect(statuses(answer) == [status])
                #expect(answer.components(separatedBy: "X-Content-Type-Options: nosniff\r\n").count == 2)
                #expect(answer.components(separatedBy: "X-Request-Id: ").count == 2)
            }
        }
    }

    private struct Mistake: Error {}
}
