import FlyingFox
import FlyingSocks
import Foundation
import PeerSupport

/// FlyingFox: Foundation sockets and Swift concurrency, no NIO. It has no permessage-deflate and cannot send to other
/// sockets, so there is no `/wsd` and no `/sub`.
@main
struct Server {
    struct Message: Encodable {
        var message: String
    }

    struct Parameters: Encodable {
        var id: String
        var name: String
    }

    struct Echo: WSMessageHandler {
        func makeMessages(for client: AsyncStream<WSMessage>) async throws -> AsyncStream<WSMessage> {
            client
        }
    }

    static func main() async throws {
        let arguments = Arguments()
        let server = HTTPServer(
            address: try .inet(ip4: arguments.host, port: UInt16(arguments.port)),
            logger: .disabled)
        await server.appendRoute("GET /plaintext") { _ in
            answer(Data("Hello, World!".utf8), "text/plain")
        }
        await server.appendRoute("GET /json") { _ in
            answer(try JSONEncoder().encode(Message(message: "Hello, World!")), "application/json")
        }
        await server.appendRoute("GET /params/:id/:name") { request in
            let body = Parameters(
                id: request.routeParameters["id"] ?? "", name: request.routeParameters["name"] ?? "")
            return answer(try JSONEncoder().encode(body), "application/json")
        }
        await server.appendRoute("POST /collect") { request in
            var count = 0
            for try await part in request.bodySequence { count += part.count }
            return answer(Data(String(count).utf8), "text/plain")
        }
        await server.appendRoute("POST /echo") { request in
            HTTPResponse(statusCode: .ok, body: request.bodySequence)
        }
        await server.appendRoute(
            "GET /ws", to: WebSocketHTTPHandler(handler: MessageFrameWSHandler(handler: Echo())))
        if let folder = arguments.staticFolder {
            await server.appendRoute(
                "GET /static/*",
                to: DirectoryHTTPHandler(
                    root: URL(fileURLWithPath: folder, isDirectory: true), serverPath: "/static/"))
        }
        let run = Task { try await server.run() }
        try await server.waitUntilListening()
        arguments.announce()
        try await run.value
    }

    static func answer(_ body: Data, _ type: String) -> HTTPResponse {
        HTTPResponse(statusCode: .ok, headers: [.contentType: type], body: body)
    }
}
