import HTTPTypes
import NIOCore
import OnePort
import OnePortTesting
import Testing

@testable import HTTPKit
@testable import OnePortMetrics
@testable import Operations

@Suite("The metrics of an application", .serialized, .timeLimit(.minutes(1)))
struct AppMetricsTests {
    /// The lines of the application's metrics that contain all of `parts`.
    private func lines(_ client: TestClient, _ parts: String...) async throws -> [String] {
        let response = try await client.get("/metrics")
        #expect(response.fields[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
        return response.text.split(separator: "\n").map(String.init).filter { line in
            parts.allSatisfy { line.contains($0) }
        }
    }

    /// The number behind the only line that contains all of `parts`.
    private func value(_ client: TestClient, _ parts: String...) async throws -> Int {
        let response = try await client.get("/metrics")
        let found = response.text.split(separator: "\n").filter { line in
            parts.allSatisfy { line.contains($0) }
        }
        guard let line = found.first else { return 0 }
        try #require(found.count == 1, "\(found)")
        return try #require(line.split(separator: " ").last.flatMap { Int($0) })
    }

    @Test("requests are counted by method, pattern and status; unknown ones cannot make up more")
    func requests() async throws {
        let app = App(configuration: AppConfiguration())
        app.metrics()
        app.get("/measured/{id}") { request in
            if try request.parameters.require("id") == "bad" { throw HTTPFailure(.badRequest) }
            return .text("x")
        }
        app.post("/measured/{id}") { _ in .text("posted") }
        try await app.test { client in
            for id in ["1", "2", "3"] { _ = try await client.get("/measured/\(id)") }
            _ = try await client.get("/measured/bad")
            _ = try await client.post("/measured/1", body: ByteBuffer(string: "x"))
            for number in 0..<20 { _ = try await client.get("/nothing/\(number)") }
            for number in 0..<5 {
                _ = try await client.request(
                    try #require(HTTPRequest.Method("MADEUP\(number)")), "/measured/1")
            }
            let count = "http_server_request_duration_seconds_count"
            let route = #"http_route="/measured/{id}""#
            let good = try await value(client, count, route, #"method="GET""#, #"code="200""#)
            let bad = try await value(client, count, route, #"code="400""#)
            let posted = try await value(client, count, route, #"method="POST""#, #"code="200""#)
            #expect((good, bad, posted) == (3, 1, 1))
            // The backend is that of the whole process, so other tests may count here too.
            let unrouted = try await value(
                client, #"\#(count){http_request_method="GET",http_response_status_code="404"}"#)
            #expect(unrouted >= 20)
            let nothing = try await lines(client, "/nothing/")
            #expect(nothing.isEmpty)
            let madeUp = try await lines(client, "MADEUP")
            #expect(madeUp.isEmpty)
            let other = try await lines(client, count, "_OTHER")
            #expect(!other.isEmpty)
        }
    }

    @Test("a request that was refused is counted by its status")
    func refused() async throws {
        let app = App(configuration: AppConfiguration())
        app.metrics()
        try await app.test { client in
            let before = try await value(client, "http_server_refused_requests_total", "431")
            _ = try? await client.get("/metrics", fields: [.cookie: String(repeating: "x", count: 70_000)])
            let after = try await value(client, "http_server_refused_requests_total", "431")
            #expect(after >= before + 1)
        }
    }

    @Test("the example serves its metrics, its health and its page")
    func example() async throws {
        let app = App(configuration: AppConfiguration())
        Operations.declare(on: app)
        try await app.test { client in
            let page = try await client.get("/hello/ann")
            #expect(page.text == "Hello, ann!")
            let health = try await client.get("/health")
            #expect(health.status == .ok)
            let shown = try await lines(client, #"http_route="/hello/{name}""#, "_count")
            #expect(shown.count == 1)
        }
    }
}
