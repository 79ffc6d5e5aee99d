import OnePort
import OnePortTesting
import Testing

@Suite("Methods, forms and cookies of the test client")
struct TestClientMethodsTests {
    private func app() -> App {
        let app = App(configuration: AppConfiguration())
        app.post("/login") { request in
            let name = try await request.form()["name"] ?? ""
            var response = Response.noContent
            response.setCookie(try SetCookie("name", name))
            response.setCookie(try SetCookie("deep", "1", path: "/deep"))
            return response
        }
        app.post("/logout") { _ in
            var response = Response.noContent
            response.setCookie(try SetCookie("name", "", maxAge: 0))
            return response
        }
        for path in ["/me", "/deep/me"] { app.get(path) { .text($0.fields[.cookie] ?? "nobody") } }
        app.put("/echo") { .text(try await $0.json(as: String.self)) }
        app.patch("/echo") { .text(try await $0.json(as: String.self)) }
        app.delete("/echo") { _ in .noContent }
        return app
    }

    @Test("A client that keeps cookies sends them back below their path until they expire")
    func cookies() async throws {
        try await app().test { client in
            let ann = client.keepingCookies()
            _ = try await ann.post("/login", form: ["name": "ann"])
            var texts: [String] = []
            for path in ["/me", "/deep/me"] { texts.append(try await ann.get(path).text) }
            _ = try await ann.post("/logout", body: ByteBuffer())
            texts.append(try await ann.get("/me").text)
            texts.append(try await client.get("/me").text)
            #expect(texts == ["name=ann", "deep=1; name=ann", "nobody", "nobody"])
        }
    }

    @Test("PUT, PATCH and DELETE")
    func methods() async throws {
        try await app().test { client in
            let put = try await client.put("/echo", json: "put")
            let patch = try await client.patch("/echo", json: "patch")
            let delete = try await client.delete("/echo")
            #expect(put.text == "put" && patch.text == "patch" && delete.status == .noContent)
        }
    }
}
