import Hummingbird
import Logging
import NIOCore
import NIOPosix
import PeerSupport

/// Hummingbird, as in its documentation. HTTP only: the benchmarks do not build its WebSocket package.
@main
struct Server {
    struct Message: ResponseEncodable {
        var message: String
    }

    struct Parameters: ResponseEncodable {
        var id: String
        var name: String
    }

    static func main() async throws {
        let arguments = Arguments()
        let router = Router()
        if let folder = arguments.staticFolder {
            router.addMiddleware { FileMiddleware(folder, urlBasePath: "/static") }
        }
        router.get("plaintext") { _, _ in "Hello, World!" }
        router.get("json") { _, _ in Message(message: "Hello, World!") }
        router.get("params/{id}/{name}") { _, context in
            Parameters(
                id: try context.parameters.require("id"),
                name: try context.parameters.require("name"))
        }
        router.post("echo") { request, _ in
            Response(status: .ok, body: .init(asyncSequence: request.body))
        }
        router.post("collect") { request, _ in
            var request = request
            return String(try await request.collectBody(upTo: 64 << 20).readableBytes)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: arguments.threads)
        var logger = Logger(label: "peer")
        logger.logLevel = .error
        let app = Application(
            router: router,
            configuration: .init(
                address: .hostname(arguments.host, port: arguments.port),
                serverName: nil, backlog: 4096),
            onServerRunning: { _ in arguments.announce() },
            eventLoopGroupProvider: .shared(group),
            logger: logger)
        try await app.runService()
    }
}
