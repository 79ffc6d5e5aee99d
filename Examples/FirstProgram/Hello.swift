import OnePort

@main struct Hello {
    static func main() async throws {
        let app = App()
        app.files("Public")
        app.get("/hello/{name}") { request in
            .text("Hello, \(try request.parameters.require("name"))!")
        }
        app.webSocket("/echo") { socket in
            for try await message in socket.messages { try await socket.send(message) }
        }
        try await app.run()
    }
}
