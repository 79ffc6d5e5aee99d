import Logging
import OnePort
import OnePortTesting
import Testing

@Suite("Error handlers")
struct ErrorHandlerTests {
    private struct Missing: Error { let key: String }

    private struct Problematic: ResponseError {
        var status: HTTPResponse.Status { .conflict }
        var message: String { "sold <out>" }
        var problem: Problem {
            Problem(
                type: "https://shop.example/sold-out", title: "Sold out",
                errors: [FieldProblem(pointer: "#/item", detail: "is sold out")], members: ["left": 0])
        }
    }

    private func app() -> App {
        let app = App(configuration: AppConfiguration())
        app.get("/outer") { _ in throw Missing(key: "k") }
        app.get("/sold") { _ in throw Problematic() }
        app.group("/api") { api in
            api.get("/inner") { _ in throw Missing(key: "k") }
            api.get("/other") { _ in throw HTTPFailure(.conflict, "other") }
            api.get("/stream") { _ in .stream { _ in throw Missing(key: "s") } }
            api.onError { error, request in
                guard error is Missing else { return nil }
                await Task.yield()
                return .text("inner \(request.path)", status: .gone)
            }
            api.onError { error, _ in
                guard (error as? any ResponseError)?.status == .notFound else { return nil }
                return .text("nothing below", status: .notFound)
            }
            api.webSocket("/socket") { _ in }
        }
        return app
    }

    private func texts(_ client: TestClient, _ paths: [String]) async throws -> [String] {
        var texts: [String] = []
        for path in paths { texts.append(try await client.get(path).text) }
        return texts
    }

    @Test("are asked from the innermost group outwards, and nil passes an error on")
    func order() async throws {
        let app = app()
        app.mapError(Missing.self) { HTTPFailure(.notFound, "no \($0.key)") }
        app.onError { error, request in
            guard let error = error as? any ResponseError else { return nil }
            return .text("outer \(error.status.code) \(error.message)", status: error.status)
        }
        try await app.test { client in
            let texts = try await texts(client, ["/api/inner", "/api/stream", "/outer", "/api/other"])
            #expect(
                texts == ["inner /api/inner", "inner /api/stream", "outer 404 no k", "outer 409 other"])
        }
    }

    @Test("see missing routes, other methods and rejected handshakes")
    func server() async throws {
        let app = app()
        app.onError { error, request in .text("outer \(type(of: error))", status: .badRequest) }
        try await app.test { client in
            let texts = try await texts(client, ["/api/nowhere", "/nowhere", "/api/socket"])
            #expect(texts == ["nothing below", "outer HTTPFailure", "outer HandshakeRejection"])
            let other = try await client.post("/api/inner", body: ByteBuffer())
            #expect(other.text == "outer HTTPFailure")
        }
    }

    @Test("of one parameter see requests that cannot be read")
    func unread() async throws {
        let app = app()
        app.onError { error in (error as? HTTPError).map { .text("own", status: $0.status) } }
        try await app.test { client in
            let raw = try await client.exchange(ByteBuffer(string: "nonsense\r\n\r\n"))
            #expect(String(buffer: raw).hasPrefix("HTTP/1.1 400") && String(buffer: raw).hasSuffix("own"))
            #expect(try await client.get("/sold").status == .conflict)
        }
    }

    @Test(
        "The default response has the form that Accept prefers",
        arguments: [
            (nil, "text/plain; charset=utf-8"), ("*/*", "text/plain; charset=utf-8"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
            ("application/json, text/plain, */*", "application/problem+json"),
            ("application/json;q=0.2, text/html;q=0.1", "application/problem+json"),
            ("application/json;q=0.2, text/html;q=0.3", "text/html; charset=utf-8"),
            ("application/problem+json", "application/problem+json"),
            ("text/plain, application/json", "text/plain; charset=utf-8"),
            ("application/json;q=0", "text/plain; charset=utf-8"),
        ] as [(String?, String)])
    func form(accept: String?, type: String) async throws {
        try await app().test { client in
            let response = try await client.get("/sold", fields: accept.map { [.accept: $0] } ?? [:])
            #expect(response.status == .conflict)
            #expect(response.fields[.contentType] == type)
            switch type {
            case "application/problem+json":
                let expected =
                    ##"{"detail":"sold <out>","errors":[{"detail":"is sold out","pointer":"#/item"}],"##
                    + #""left":0,"status":409,"title":"Sold out","type":"https://shop.example/sold-out"}"#
                #expect(response.text == expected)
                #expect(response.fields[.vary] == "Accept")
            case "text/html; charset=utf-8": #expect(response.text.contains("<p>sold &lt;out&gt;</p>"))
            default: #expect(response.text == "sold <out>\n")
            }
        }
    }
}
