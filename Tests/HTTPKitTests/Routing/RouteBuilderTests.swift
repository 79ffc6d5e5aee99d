import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPKit

@Suite("One way to declare routes, folders and middleware")
struct RouteBuilderTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("a/one.txt", "one of a")
        try folder.write("a/both.txt", "both of a")
        try folder.write("a/admin/secret.txt", "secret")
        try folder.write("b/two.txt", "two of b")
        try folder.write("b/both.txt", "both of b")
    }

    /// Asks the routes without a connection; folders are read by other threads.
    private struct Client {
        let router: Router

        func content(_ text: String) async throws -> String {
            let response = try await exchange(text)
            return HTTPKitTests.content(response)
        }

        func statuses(_ text: String) async throws -> [Int] {
            let response = try await exchange(text)
            return HTTPKitTests.statuses(response)
        }

        /// The response as text, with errors as a connection sends them.
        func exchange(_ text: String) async throws -> String {
            var decoder = RequestDecoder(limits: HTTPLimits())
            var input = ByteBuffer(string: text)
            let head = try #require(try decoder.next(&input))
            let info = ConnectionInfo.unconnected()
            let request = Request(head: head, body: .empty, connection: info, bodyLimit: 0)
            var response: Response
            do {
                response = try await router.handler(for: request)(request)
            } catch {
                response = Response(error: error, for: nil)
            }
            let lines = response.fields.map { "\($0.name.rawName): \($0.value)\r\n" }.joined()
            let body: String
            switch response.body.storage {
            case .bytes(let buffer): body = String(buffer: buffer)
            case .string(let text): body = text
            default: body = ""
            }
            return "HTTP/1.1 \(response.status.code) \(response.status.reasonPhrase)\r\n\(lines)\r\n\(body)"
        }
    }

    private func withRoutes(
        _ declare: (RouteGroup) -> Void, test: (Client) async throws -> Void
    ) async throws {
        let path = folder.path
        let table = RouteTable { path + "/" + $0 }
        declare(RouteGroup(table: table))
        try await test(Client(router: try table.router()))
    }

    private func request(_ target: String, method: String = "GET", _ fields: String = "") -> String {
        "\(method) \(target) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    private struct Mark: MiddlewareProtocol {
        let text: String

        func respond(to request: Request, next: Handler) async throws -> Response {
            var response: Response
            do {
                response = try await next(request)
            } catch let error as any ResponseError {
                response = Response(error: error, for: nil)
            }
            response.fields.append(HTTPField(name: .via, value: text))
            return response
        }
    }

    private struct Guard: MiddlewareProtocol {
        func respond(to request: Request, next: Handler) async throws -> Response {
            guard request.fields[.authorization] == "me" else { throw HTTPFailure(.unauthorized) }
            return try await next(request)
        }
    }

    @Test("Middleware may be a type, and is used in a group before or after its routes are declared")
    func types() async throws {
        try await withRoutes { routes in
            routes.use(Mark(text: "app"), Middleware.requestID)
            routes.group("/g", Mark(text: "1"), Mark(text: "2")) { group in
                group.get("/in") { _ in .text("x") }
                group.use(Mark(text: "3"))
                group.use(.securityHeaders())
            }
            routes.get("/out") { _ in .text("x") }
        } test: { (wire) async throws in
            let inside = try await wire.exchange(request("/g/in"))
            #expect(inside.has("Via: 3\r\nVia: 2\r\nVia: 1\r\n"))
            #expect(inside.has("nosniff") && inside.has("Via: app") && inside.has("X-Request-Id"))
            let outside = try await wire.exchange(request("/out"))
            #expect(outside.has("Via: app") && !outside.has("Via: 1") && !outside.has("nosniff"))
        }
    }

    @Test("Two folders at one place serve both, in the order of their declaration", arguments: ["", "/s"])
    func folders(mount: String) async throws {
        try await withRoutes { routes in
            routes.files("a", at: mount)
            routes.files("b", at: mount + "/")
        } test: { (wire) async throws in
            #expect(try await wire.content(request(mount + "/one.txt")) == "one of a")
            #expect(try await wire.content(request(mount + "/two.txt")) == "two of b")
            #expect(try await wire.content(request(mount + "/both.txt")) == "both of a")
            #expect(try await wire.statuses(request(mount + "/none.txt")) == [404])
        }
    }

    @Test("Routes go first, then folders whose mount covers the path")
    func order() async throws {
        try await withRoutes { routes in
            routes.files("a")
            routes.files("b", at: "/admin")
            routes.get("/one.txt") { _ in .text("a route") }
        } test: { (wire) async throws in
            #expect(try await wire.content(request("/one.txt")) == "a route")
            #expect(try await wire.content(request("/admin/secret.txt")) == "secret")
            #expect(try await wire.content(request("/admin/two.txt")) == "two of b")
        }
    }

    @Test("A group's folder is below its prefix and behind its middleware")
    func groupFiles() async throws {
        try await withRoutes { routes in
            routes.group("/g", Mark(text: "g")) { $0.files("a", at: "/s") }
            routes.group("", Mark(text: "h")) { $0.files("a", at: "/t") }
        } test: { (wire) async throws in
            let found = try await wire.exchange(request("/g/s/one.txt"))
            #expect(content(found) == "one of a")
            #expect(found.components(separatedBy: "Via: g").count == 2)
            let other = try await wire.exchange(request("/t/one.txt"))
            #expect(content(other) == "one of a" && other.has("Via: h"))
        }
    }

    private static let below: [(String, String, Int, Int)] = [
        ("GET", "/admin/secret.txt", 401, 200), ("GET", "/%61dmin/secret.txt", 401, 200),
        ("HEAD", "/admin/secret.txt", 401, 200), ("GET", "/admin", 401, 301), ("GET", "/admin/", 401, 404),
        ("GET", "/admin/none", 401, 404), ("POST", "/admin/none", 401, 404),
        ("POST", "/admin/known", 401, 405), ("OPTIONS", "/admin/known", 401, 204),
        ("POST", "/admin/secret.txt", 401, 405), ("OPTIONS", "/admin/secret.txt", 401, 204),
        ("FOO", "/admin/secret.txt", 401, 501), ("GET", "/one.txt", 200, 200),
        ("GET", "/administrator", 404, 404), ("GET", "/none", 404, 404),
    ]

    @Test("A group's middleware runs for whatever is below its prefix: files, 404 and 405", arguments: below)
    func cover(method: String, target: String, without: Int, with: Int) async throws {
        try await withRoutes { routes in
            routes.files("a")
            routes.group("/admin", Guard()) { $0.get("/known") { _ in .text("known") } }
            routes.group("", Guard()) { $0.get("/own") { _ in .text("own") } }
        } test: { (wire) async throws in
            #expect(try await wire.statuses(request(target, method: method)) == [without])
            let allowed = try await wire.exchange(request(target, method: method, "Authorization: me\r\n"))
            #expect(statuses(allowed) == [with])
        }
    }

    @Test("Groups in groups each run once, the outermost outside; parameters of a prefix match one segment")
    func nested() async throws {
        try await withRoutes { routes in
            routes.group("/u/{id}", Mark(text: "1")) { group in
                group.group("", Mark(text: "2")) { $0.group("/x", Mark(text: "3")) { _ in } }
            }
        } test: { (wire) async throws in
            #expect(try await wire.exchange(request("/u/7/x/y")).has("Via: 3\r\nVia: 2\r\nVia: 1\r\n"))
            let outer = try await wire.exchange(request("/u/7/z"))
            #expect(outer.has("Via: 1") && !outer.has("Via: 2"))
            #expect(try await !wire.exchange(request("/u/")).has("Via: 1"))
        }
    }

    @Test("Pages of folders answer after the files of all folders")
    func pages() async throws {
        try folder.write("a/index.html", "page of a")
        try folder.write("b/404.html", "none in b")
        try await withRoutes { routes in
            var options = StaticFileOptions()
            options.fallback = "index.html"
            routes.files("a", options: options)
            options.fallback = nil
            options.notFoundPage = "404.html"
            routes.files("b", options: options)
        } test: { (wire) async throws in
            #expect(try await wire.content(request("/two.txt")) == "two of b")
            #expect(try await wire.content(request("/users/7")) == "page of a")
            #expect(try await wire.content(request("/none.png")) == "none in b")
        }
    }

    @Test("A missing folder and a bad prefix are reported when the router is made")
    func problems() throws {
        let table = RouteTable()
        RouteGroup(table: table).files("/nowhere/at/all")
        #expect(throws: StaticFilesError.self) { try table.router() }
        let other = RouteTable()
        RouteGroup(table: other).group("/a%", .requestID) { _ in }
        #expect(throws: PathPatternError.self) { try other.router() }
    }
}
