import FoundationEssentials
import OnePort
import OnePortTesting
import Testing

@Suite("Typed queries, forms and paths")
struct InputTests {
    private enum State: String, Codable { case open, done }
    private struct Range: Codable, Equatable { var from: Int; var to: Int? }
    private struct Filter: Codable, Equatable {
        var state: State?
        var tags: [String]
        var page: Int?
        var range: Range?
        var since: Date?
        var exact: Bool?
        var text: String?
    }
    private struct Item: Codable, Validatable {
        var name: String
        var count: Int
        func validate(_ checks: inout Checks) {
            checks.length(of: name, in: 1...5, "name")
            checks.range(of: count, in: 1...9, "count")
        }
    }
    private struct Order: Codable, Validatable {
        var items: [Item]
        func validate(_ checks: inout Checks) {
            checks.require(!items.isEmpty, "items", "must not be empty")
            checks.nested(items, "items")
        }
    }
    private struct Place: Codable { var id: Int; var name: String }

    private func app() -> App {
        let app = App(configuration: AppConfiguration())
        app.get("/query") { try .json($0.query(as: Filter.self)) }
        app.post("/form") { try .json(await $0.form(as: Order.self)) }
        app.post("/json") { try .json(await $0.json(as: Order.self)) }
        app.get("/places/{id}/{name}") { try .json($0.parameters(as: Place.self)) }
        app.get("/created") { _ in try .created(at: "/todos/ü", [1]) }
        app.get("/file") { _ in
            .text("x").disposition(.attachment("a/Übersicht \"1\".pdf"))
                .cacheControl(.public(maxAge: .seconds(60), immutable: true))
        }
        app.get("/events") { request in
            .events { events in
                try await events.retry(after: .milliseconds(1500))
                try await events.send(json: ["last": request.lastEventID ?? ""], event: "e", id: "2")
            }
        }
        return app
    }

    @Test(
        "A query is a value",
        arguments: [
            ("", #"{"tags":[]}"#), ("tags=a&tags=b", #"{"tags":["a","b"]}"#),
            ("tags[]=a&page=2", #"{"page":2,"tags":["a"]}"#),
            ("tags[1]=b&tags[0]=a&exact=on", #"{"exact":true,"tags":["a","b"]}"#),
            (
                "range[from]=1&range%5Bto%5D=2&state=open",
                #"{"range":{"from":1,"to":2},"state":"open","tags":[]}"#
            ),
            ("page=&text=&range[from]=3&tags[0", #"{"range":{"from":3},"tags":[],"text":""}"#),
            ("since=2026-11-27", #"{"since":"2026-11-27T00:00:00Z","tags":[]}"#),
            ("since=2026-11-27T01:02:03Z", #"{"since":"2026-11-27T01:02:03Z","tags":[]}"#),
        ])
    func query(query: String, value: String) async throws {
        try await app().test { client in
            let response = try await client.get("/query?" + query)
            #expect(response.text == value)
        }
    }

    @Test(
        "An error names the field",
        arguments: [
            ("page=x", 400, ##"the query field "page" is "x", which is not an integer"##, "#/page"),
            ("range[to]=1", 400, ##"the query field "range[from]" is missing"##, "#/range/from"),
            ("state=shut", 400, ##"the query field "state" is "shut", which is not allowed"##, "#/state"),
            (
                "since=now", 400,
                ##"the query field "since" is "now", which is not a date in the form of ISO 8601"##, "#/since"
            ),
        ])
    func errors(query: String, status: Int, message: String, pointer: String) async throws {
        try await app().test { client in
            let text = try await client.get("/query?" + query)
            #expect(text.status.code == status && text.text == message + "\n")
            let problem = try await client.get("/query?" + query, fields: [.accept: "application/json"])
            #expect(problem.text.contains("\"pointer\":\"\(pointer)\""))
        }
    }

    @Test("Levels are bounded")
    func depth() async throws {
        try await app().test { client in
            let name = "a" + String(repeating: "[b]", count: 1000)
            let response = try await client.get("/query?\(name)=1")
            #expect(response.status == .badRequest)
        }
    }

    @Test("A validation lists all failures, with JSON and forms alike")
    func validation() async throws {
        try await app().test { client in
            let form: HTTPFields = [
                .contentType: "application/x-www-form-urlencoded", .accept: "application/problem+json",
            ]
            let body = "items[0][name]=toolong&items[0][count]=0&items[1][name]=ok&items[1][count]=10"
            let expected = [
                ##"{"detail":"must have 1 to 5 characters","pointer":"#/items/0/name"}"##,
                ##"{"detail":"must be from 1 to 9","pointer":"#/items/0/count"}"##,
                ##"{"detail":"must be from 1 to 9","pointer":"#/items/1/count"}"##,
            ].joined(separator: ",")
            let posted = try await client.post("/form", fields: form, body: ByteBuffer(string: body))
            #expect(posted.status.code == 422 && posted.text.contains("\"errors\":[\(expected)]"))
            let items = [Item(name: "toolong", count: 0), Item(name: "ok", count: 10)]
            let json = try await client.post(
                "/json", fields: [.accept: "application/json"], json: Order(items: items))
            #expect(json.status.code == 422 && json.text.contains("\"errors\":[\(expected)]"))
            let good = try await client.post("/json", json: Order(items: [Item(name: "a", count: 1)]))
            #expect(good.status == .ok)
        }
    }

    @Test("Path parameters are a value; one of another type is not found")
    func path() async throws {
        try await app().test { client in
            let found = try await client.get("/places/7/a%20b")
            #expect(found.text == #"{"id":7,"name":"a b"}"#)
            let absent = try await client.get("/places/x/a")
            #expect(absent.status == .notFound)
        }
    }

    @Test("Responses of their own kinds")
    func responses() async throws {
        try await app().test { client in
            let created = try await client.get("/created")
            #expect(created.status == .created && created.fields[.location] == "/todos/%C3%BC")
            let file = try await client.get("/file")
            #expect(file.fields[.cacheControl] == "public, max-age=60, immutable")
            let disposition =
                #"attachment; filename="_bersicht _1_.pdf"; filename*=UTF-8''%C3%9Cbersicht%20%221%22.pdf"#
            #expect(file.fields[.contentDisposition] == disposition)
        }
    }

    @Test("Events carry JSON, an id and the time to reconnect, and know the last one")
    func events() async throws {
        try await app().test { client in
            let name = try #require(HTTPField.Name("Last-Event-ID"))
            let buffering = try #require(HTTPField.Name("X-Accel-Buffering"))
            let response = try await client.get("/events", fields: [name: "1"])
            #expect(response.text == "retry: 1500\n\nid: 2\nevent: e\ndata: {\"last\":\"1\"}\n\n")
            #expect(response.fields[buffering] == "no")
        }
    }
}
