import HTTPTypes
import NIOCore
import Synchronization
import Testing

@testable import HTTPKit

@Suite("Errors on their way to a response")
struct ErrorPathTests {
    private struct Oops: Error, CustomStringConvertible {
        let description = "secret"
    }

    /// What the hook was told of.
    private final class Heard: Sendable {
        private let noted = Mutex<[String]>([])
        var all: [String] { noted.withLock { $0 } }
        func note(_ error: any Error, _ request: Request?) {
            let status = (error as? any ResponseError)?.status.code ?? 500
            noted.withLock { $0.append("\(status) \(request?.path ?? "-")") }
        }
    }

    private func router(
        _ middleware: Middleware..., declare: (RouteGroup) -> Void = ErrorPathTests.routes
    ) throws -> Handler {
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        for layer in middleware { routes.use(layer) }
        declare(routes)
        let router = try table.router()
        return { try await router.handler(for: $0)($0) }
    }

    private static func routes(_ routes: RouteGroup) {
        routes.get("/ok") { _ in .text("ok") }
        routes.get("/known") { _ in throw HTTPFailure(.conflict, "taken", fields: [.eTag: "\"1\""]) }
        routes.get("/unknown") { _ in throw Oops() }
        routes.get("/down") { _ in
            throw HTTPFailure(.serviceUnavailable, "db1 is away", fields: [.retryAfter: "5"])
        }
        routes.get("/misspelled/{id}") { .text(try $0.parameters.require("idd")) }
        routes.get("/stream") { _ in .stream { _ in throw Oops() } }
        routes.get("/interim") { _ in .status(.earlyHints) }
        routes.get("/upgrade") { _ in Response(upgrade: Upgrade { _ in }, fields: [.upgrade: "x"]) }
        routes.get("/cancelled") { _ in throw CancellationError() }
    }

    private func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    private static let cases: [(request: String, status: Int, heard: String)] = [
        ("GET /known HTTP/1.1\r\nHost: h\r\n\r\n", 409, "409 /known"),
        ("GET /unknown HTTP/1.1\r\nHost: h\r\n\r\n", 500, "500 /unknown"),
        ("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", 500, "500 /stream"),
        ("GET /interim HTTP/1.1\r\nHost: h\r\n\r\n", 500, "500 /interim"),
        ("GET /upgrade HTTP/1.0\r\nHost: h\r\n\r\n", 400, "400 /upgrade"),
        ("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, "404 /nowhere"),
        ("DELETE /ok HTTP/1.1\r\nHost: h\r\n\r\n", 405, "405 /ok"),
        ("BREW /ok HTTP/1.1\r\nHost: h\r\n\r\n", 501, "501 /ok"),
        ("GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "400 /%zz"),
        ("GET /ok HTTP/1.1\r\n\r\n", 400, "400 -"), ("GET /ok HTTP/3.1\r\nHost: h\r\n\r\n", 505, "505 -"),
        ("nonsense\r\n\r\n", 400, "400 -"),
    ]

    @Test("every error passes the one hook: thrown, no route, no method, not a request", arguments: cases)
    func oneHook(request: String, status: Int, told: String) throws {
        let heard = Heard()
        let hook: ErrorResponder = { error, request in
            heard.note(error, request)
            return nil
        }
        try withWire(errorResponse: hook, try router()) { wire in
            #expect(statuses(wire.exchange(request)) == [status])
            #expect(heard.all == [told])
        }
    }

    @Test("a connection that is not taken passes the hook too")
    func notAdmitted() throws {
        let heard = Heard()
        let hook: ErrorResponder = { error, request in
            heard.note(error, request)
            return nil
        }
        try withWire(isAdmitted: false, errorResponse: hook, try router()) { wire in
            #expect(statuses(wire.received()) == [503])
            #expect(heard.all == ["503 -"])
        }
    }

    @Test("a page of the application's own has the fields that belong to the status, and those of middleware")
    func ownPage() throws {
        let hook: ErrorResponder = { error, _ in
            let status = (error as? any ResponseError)?.status ?? .internalServerError
            return .html("<p>own", status: status)
        }
        try withWire(errorResponse: hook, try router(.requestID, .securityHeaders(), .cors(.any))) { wire in
            let absent = wire.exchange("DELETE /ok HTTP/1.1\r\nHost: h\r\nOrigin: https://x\r\n\r\n")
            #expect(statuses(absent) == [405] && content(absent) == "<p>own")
            for line in [
                "Allow: GET, HEAD, OPTIONS", "Content-Type: text/html; charset=utf-8",
                "X-Content-Type-Options: nosniff", "Access-Control-Allow-Origin: *",
            ] {
                #expect(absent.components(separatedBy: "\r\n\(line)\r\n").count == 2, "\(line)")
            }
            #expect(absent.components(separatedBy: "X-Request-Id").count == 2)
            #expect(wire.exchange(get("/known")).has("\r\nETag: \"1\"\r\n"))
        }
    }

    @Test(
        "middleware outside of the others sees an error as it was thrown",
        arguments: ["/known", "/unknown", "/nowhere", "/down"])
    func seenAsThrown(path: String) throws {
        let seen = Notes()
        let outer = Middleware { request, next in
            do {
                return try await next(request)
            } catch let error as HTTPFailure {
                seen.add("\(error.status.code)")
                return .text("handled", status: error.status)
            } catch is Oops {
                seen.add("oops")
                return .text("handled", status: .internalServerError)
            }
        }
        let handler = try router(outer, .accessLog, .requestID, .securityHeaders(), .cors(.any), .compressed)
        try withWire(handler) { wire in
            let answer = wire.exchange(get(path, "Origin: https://x\r\n"))
            #expect(
                seen.lines == [
                    ["/known": "409", "/unknown": "oops", "/nowhere": "404", "/down": "503"][path]
                ])
            #expect(content(answer) == "handled")
            // What they would have set is there all the same.
            #expect(answer.has("\r\nX-Request-Id: ") && answer.has("\r\nAccess-Control-Allow-Origin: *\r\n"))
            #expect(answer.has("\r\nX-Content-Type-Options: nosniff\r\n"))
        }
    }

    @Test("what middleware has noted for one request is not on the response to the next")
    func notesEnd() throws {
        try withWire(
            try router { routes in
                routes.group("/a", .requestID, .cors(.any)) { $0.get("/x") { _ in throw Oops() } }
                routes.get("/b") { _ in throw Oops() }
                routes.get("/c") { _ in .text("c") }
            }
        ) { wire in
            let answers = wire.exchange(get("/a/x") + get("/b") + get("/c"))
            #expect(statuses(answers) == [500, 500, 200])
            #expect(answers.components(separatedBy: "X-Request-Id").count == 2)
            #expect(answers.components(separatedBy: "Access-Control-Allow-Origin").count == 2)
        }
    }

    @Test(
        "the text of a fault of the program is logged once, with its route and id, and not sent",
        arguments: [
            ("/unknown", 500, "GET /unknown", "secret"), ("/down", 503, "GET /down", "db1"),
            ("/misspelled/1", 500, "GET /misspelled/{id}", "idd"), ("/stream", 500, "GET /stream", "secret"),
        ])
    func faults(path: String, status: Int, route: String, text: String) throws {
        try withWire(try router(.requestID)) { wire in
            let answer = wire.exchange(get(path))
            #expect(statuses(answer) == [status])
            #expect(!answer.has(text))
            #expect(content(answer) == (status == 503 ? "Service Unavailable\n" : "Internal Server Error\n"))
            #expect(answer.has("Retry-After: 5") == (status == 503))
            #expect(wire.log.lines == ["error handler failed"])
            let metadata = try #require(wire.log.entries.first?.metadata)
            #expect(metadata["route"] == route && metadata["error"]?.has(text) == true)
            #expect(answer.has("X-Request-Id: \(metadata["id"] ?? "none")\r\n"))
        }
    }

    @Test(
        "what clients do wrong is told to them, and is no line of the log",
        arguments: ["/known", "/nowhere", "/%zz"])
    func clients(path: String) throws {
        try withWire(try router()) { wire in
            let answer = wire.exchange(get(path))
            #expect(!content(answer).isEmpty && wire.log.lines == [])
        }
    }

    @Test("a handler that was cancelled has not failed")
    func cancelled() throws {
        try withWire(try router()) { wire in
            #expect(statuses(wire.exchange(get("/cancelled"))) == [503])
            #expect(wire.log.lines == [])
        }
    }
}

extension Middleware {
    /// Stands for any middleware that only looks at responses.
    fileprivate static let compressed = Middleware { request, next in try await next(request) }
}

@Suite("The access log")
struct AccessLogTests {
    private func withRoutes(
        _ middleware: Middleware..., isProxy: Bool = false, declare: (RouteGroup) -> Void,
        test: (Wire) throws -> Void
    ) throws {
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        for layer in middleware { routes.use(layer) }
        declare(routes)
        let router = try table.router()
        try withWire({ try await router.handler(for: $0)($0) }, test: test)
    }

    private func get(_ path: String, _ method: String = "GET") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: h\r\n\r\n"
    }

    private func logged(_ wire: Wire) -> [[String: String]] {
        wire.log.entries.filter { $0.line == "info request" }.map(\.metadata)
    }

    @Test("in either order with requestID, each line has the id", arguments: [false, true])
    func id(isIDFirst: Bool) throws {
        let middleware: [Middleware] = isIDFirst ? [.requestID, .accessLog] : [.accessLog, .requestID]
        let table = RouteTable()
        let routes = RouteGroup(table: table)
        for layer in middleware { routes.use(layer) }
        routes.get("/ok") { _ in .text("ok") }
        routes.get("/known") { _ in throw HTTPFailure(.conflict) }
        let router = try table.router()
        try withWire({ try await router.handler(for: $0)($0) }) { wire in
            for (path, status) in [("/ok", "200"), ("/known", "409"), ("/nowhere", "404")] {
                let answer = wire.exchange(get(path))
                let line = try #require(logged(wire).last)
                #expect(line["status"] == status && line["path"] == path && line["end"] == nil)
                #expect(answer.has("X-Request-Id: \(line["id"] ?? "none")\r\n"))
            }
            #expect(logged(wire).count == 3)
        }
    }

    @Test("a stream is logged at its end, with its time and bytes")
    func stream() throws {
        let gate = Gate()
        try withRoutes(.accessLog) { routes in
            routes.get("/stream") { _ in
                .stream { writer in
                    try await writer.write("12345")
                    await gate.pass()
                    try await writer.write("678")
                }
            }
        } test: { wire in
            wire.send(get("/stream"))
            #expect(logged(wire).isEmpty)
            let start = LoopInstant.now
            while LoopInstant.now.milliseconds < start.milliseconds + 12 {}
            wire.loop.turn { gate.open() }
            wire.settle()
            let line = try #require(logged(wire).first)
            #expect(line["status"] == "200" && line["bytes"] == "8" && line["end"] == nil)
            #expect(line["ms"].flatMap { Int($0) } ?? 0 >= 8)
        }
    }

    @Test(
        "a stream that its client or its handler breaks off is logged as aborted", arguments: [true, false])
    func aborted(byClient: Bool) throws {
        struct Oops: Error {}
        let gate = Gate()
        try withRoutes(.accessLog, .requestID) { routes in
            routes.get("/stream") { _ in
                .stream { writer in
                    try await writer.write("12345")
                    await gate.pass()
                    throw Oops()
                }
            }
        } test: { wire in
            wire.send(get("/stream"))
            if byClient {
                wire.hangUp()
            } else {
                wire.loop.turn { gate.open() }
                wire.settle()
            }
            let line = try #require(logged(wire).first)
            #expect(line["status"] == "200" && line["bytes"] == "5" && line["end"] == "aborted")
            #expect(line["id"] != nil)
            if byClient { wire.loop.turn { gate.open() } }
            wire.settle()
            #expect(logged(wire).count == 1)
        }
    }

    @Test("a client that is gone before the response is logged as aborted, once")
    func goneBefore() throws {
        let gate = Gate()
        try withRoutes(.accessLog) { routes in
            routes.get("/slow") { _ in
                await gate.pass()
                return .text("late")
            }
        } test: { wire in
            wire.send(get("/slow"))
            wire.hangUp()
            wire.loop.turn { gate.open() }
            wire.settle()
            #expect(logged(wire).map { $0["end"] } == ["aborted"])
            #expect(logged(wire).map { $0["bytes"] } == ["0"])
        }
    }

    @Test("the status and the bytes are those that were sent")
    func sent() throws {
        try withRoutes(.accessLog) { routes in
            routes.get("/ok") { _ in .text("12345") }
            routes.get("/late") { _ in .stream { _ in throw HTTPFailure(.gone, "x") } }
            routes.get("/upgrade") { _ in Response(upgrade: Upgrade { _ in }, fields: [.upgrade: "x"]) }
        } test: { wire in
            wire.send(get("/ok") + get("/ok", "HEAD") + get("/late") + get("/nowhere") + get("/upgrade"))
            #expect(logged(wire).map { $0["status"] } == ["200", "200", "410", "404", "101"])
            #expect(logged(wire).map { $0["bytes"] } == ["5", "0", "2", "16", "0"])
        }
    }

    @Test("what a client writes into its path is one value of one line")
    func path() throws {
        try withRoutes(.accessLog) { _ in
        } test: { wire in
            wire.send(get("/" + String(repeating: "x", count: 5000)))
            #expect(logged(wire).first?["path"]?.utf8.count == LogText.maxBytes + 3)
        }
    }
}
