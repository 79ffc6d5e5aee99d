import OnePort
import OnePortTesting
import Testing

@Suite("The text of server errors")
struct ErrorTextTests {
    private func app(development: Bool) throws -> App {
        var configuration = AppConfiguration()
        configuration.developmentPage = development
        let app = App(configuration: configuration)
        app.get("/misspelled/{id}") { .text(try $0.parameters.require("idd")) }
        app.get("/missing") { try $0.render("no-such-template") }
        app.get("/known") { _ in throw HTTPFailure(.conflict, "taken") }
        return app
    }

    @Test("is not sent in production", arguments: ["/misspelled/1", "/missing"])
    func production(path: String) async throws {
        try await app(development: false).test { client in
            for accept in ["*/*", "text/html", "application/json"] {
                let response = try await client.get(path, fields: [.accept: accept])
                #expect(response.status == .internalServerError)
                #expect(!response.text.contains("idd") && !response.text.contains("template"))
            }
            #expect(try await client.get(path).text == "Internal Server Error\n")
        }
    }

    @Test("is sent in development, to browsers as a page")
    func development() async throws {
        try await app(development: true).test { client in
            let text = try await client.get("/misspelled/1")
            #expect(text.status == .internalServerError && text.text.contains("\"idd\""))
            let page = try await client.get("/misspelled/1", fields: [.accept: "text/html"])
            #expect(page.text.hasPrefix("<!doctype html>") && page.text.contains("&quot;idd&quot;"))
            let known = try await client.get("/known", fields: [.accept: "text/html"])
            #expect(known.text.contains("<p>taken</p>"))
            let problem = try await client.get("/misspelled/1", fields: [.accept: "application/json"])
            #expect(problem.text.contains("idd"))
        }
    }
}
