import HTTPTypes
import NIOCore
import OnePort
import Synchronization

/// The HTTP routes of the fixed contract.
func addHTTPRoutes(to app: App) {
    addPlainRoutes(to: app)
    addBodyRoutes(to: app)
    addTimedRoutes(to: app)
    addWaitingRoutes(to: app)
    addReflectingRoutes(to: app)
}

private let plainText: HTTPFields = [.contentType: "text/plain"]

private func plain(_ text: String) -> Response { Response(fields: plainText, body: .string(text)) }

private func addPlainRoutes(to app: App) {
    app.get("/plaintext") { _ in plain("Hello, World!") }
    app.get("/json") { _ in try .json(["message": "Hello, World!"]) }
    app.get("/params/{id}/{name}") { request in
        try .json(
            Parameters(
                id: try request.parameters.require("id"), name: try request.parameters.require("name")))
    }
    app.get("/query") { request in try .json(try request.query.items.map { [$0.name, $0.value] }) }
    app.get("/headers") { request in try .json(request.fields.map { [$0.name, $0.value] }) }
    app.get("/status/{code}") { request in
        let code = try request.parameters.require("code", as: Int.self)
        guard (200...599).contains(code) else {
            throw HTTPFailure(.badRequest, "code is \(code), not within 200-599")
        }
        return .status(HTTPResponse.Status(code: code))
    }
    app.get("/throw") { _ in throw HandlerError() }
    app.get("/render") { request in
        .html(try page.get().render("page", ["name": try request.query.require("name")]))
    }
}

/// The page of `/render`: text in an attribute and in an element.
private let page = Result { () throws(TemplateError) in
    try Templates(texts: ["page": "<p title=\"{{name}}\">{{name}}</p>"])
}

/// The response of `/who`: the request as the application sees it.
private struct Who: Encodable {
    let scheme: String
    let authority: String?
    let address: String
    let version: String
    let path: String
    let connection: UInt64

    init(_ request: Request) {
        scheme = request.scheme
        authority = request.authority
        address = request.clientAddress.map { $0.ipAddress ?? "unix" } ?? "unknown"
        version = request.version
        path = request.path
        connection = request.connection.number
    }
}

private struct Parameters: Encodable {
    let id: String
    let name: String
}

/// The error of `/throw`, without a status for clients.
private struct HandlerError: Error {}

private func addBodyRoutes(to app: App) {
    app.post("/echo") { request in
        .stream(contentType: request.fields[.contentType]) { writer in
            for try await chunk in request.body { try await writer.write(chunk) }
        }
    }
    app.post("/collect") { request in
        var length = 0
        for try await chunk in request.body { length += chunk.readableBytes }
        return plain(String(length))
    }
    app.post("/form") { request in try await FormSummary.read(request) }
}

private func addTimedRoutes(to app: App) {
    app.get("/stream") { _ in
        .stream(contentType: "text/plain") { writer in
            for number in 0..<10 { try await writer.write("chunk \(number)\n") }
        }
    }
    app.get("/sse") { _ in
        .events { events in
            for number in 0..<5 {
                if number > 0 { try await Task.sleep(for: .milliseconds(20)) }
                try await events.send(try ServerSentEvent(id: String(number), data: "event \(number)"))
            }
        }
    }
    app.get("/slow") { _ in
        try await Task.sleep(for: .seconds(2))
        return plain("done")
    }
    app.get("/slow/{milliseconds}") { request in
        let milliseconds = try request.parameters.require("milliseconds", as: Int.self)
        guard (0...30_000).contains(milliseconds) else {
            throw HTTPFailure(.badRequest, "milliseconds is \(milliseconds), not within 0-30000")
        }
        try await Task.sleep(for: .milliseconds(milliseconds))
        return plain("done")
    }
    app.get("/block") { _ in
        try await offload { holdThread(milliseconds: 50) }
        return plain("done")
    }
}

/// The number of running handlers of `/silent` and `/events`.
let waitingHandlers = Atomic(0)

/// Counts a handler while it runs.
private func counted<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    waitingHandlers.wrappingAdd(1, ordering: .relaxed)
    defer { waitingHandlers.wrappingSubtract(1, ordering: .relaxed) }
    return try await body()
}

private func addWaitingRoutes(to app: App) {
    app.get("/events/{milliseconds}") { request in
        let milliseconds = try request.parameters.require("milliseconds", as: Int.self)
        guard milliseconds >= 0 else {
            throw HTTPFailure(.badRequest, "milliseconds is \(milliseconds), less than 0")
        }
        return .events { events in
            try await counted {
                try await Task.sleep(for: .milliseconds(milliseconds))
                for number in 0... {
                    if number > 0 { try await Task.sleep(for: .seconds(1)) }
                    try await events.send(try ServerSentEvent(id: String(number), data: "event \(number)"))
                }
            }
        }
    }
    app.get("/silent") { _ in
        try await counted {
            while true { try await Task.sleep(for: .seconds(3600)) }
        }
    }
}

private func addReflectingRoutes(to app: App) {
    app.get("/who") { request in try .json(Who(request)) }
    app.get("/cookies") { request in
        var cookies: [String: String] = [:]
        for cookie in request.cookies { cookies[cookie.name] = cookie.value }
        var response = try Response.json(cookies)
        response.setCookie(try SetCookie("a", "1", path: "/", httpOnly: true, sameSite: .lax))
        return response
    }
    app.get("/reflect-header") { request in
        let value = try request.query.require("v")
        guard let name = HTTPField.Name("X-Reflect"), HTTPField.isValidValue(value) else {
            throw HTTPFailure(.badRequest, "v cannot be a field value (RFC 9110 §5.5)")
        }
        var response = plain("")
        response.fields[name] = value
        return response
    }
}
