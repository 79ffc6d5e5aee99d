import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOPosix
import NIOSSL
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
            router: router, server: try server(arguments),
            configuration: .init(
                address: .hostname(arguments.host, port: arguments.port),
                serverName: nil, backlog: 4096),
            onServerRunning: { _ in arguments.announce() },
            eventLoopGroupProvider: .shared(group),
            logger: logger)
        try await app.runService()
    }

    /// HTTP/1.1, or with TLS HTTP/2 and HTTP/1.1.
    static func server(_ arguments: Arguments) throws -> HTTPServerBuilder {
        guard let certificate = arguments.certificate, let key = arguments.key else { return .http1() }
        return try .http2Upgrade(
            tlsConfiguration: .makeServerConfiguration(
                certificateChain: NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
    }
}
