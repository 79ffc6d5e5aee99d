import Logging
import OnePort
import OnePortMetrics

/// What an application needs to be operated: health, metrics, and work beside its requests.
///
/// `swift run Operations`, then `/health`, `/metrics` and `/hello/ann` at http://127.0.0.1:8080.
@main
struct Operations {
    static func main() async throws {
        let app = App()
        declare(on: app)
        try await app.run()
    }

    static func declare(on app: App) {
        app.metrics()
        app.health { checks in
            // A check throws if the application cannot serve: `try await database.ping()`.
            checks.add("self") {}
        }
        app.every(.seconds(60), "greeting") { app.logger.info("still here") }
        app.use(.requestID, .accessLog)
        app.get("/hello/{name}") { request in .text("Hello, \(try request.parameters.require("name"))!") }
        app.webSocket("/echo") { socket in
            for try await message in socket.messages { try await socket.send(message) }
        }
    }
}
