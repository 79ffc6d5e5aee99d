import OnePort
import OnePortTLS
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server with fixed routes for conformance, load, fault and fuzz tests. The routes and their bytes do not change.
@main struct TestServer {
    static func main() async throws {
        let app = App(
            settings: [
                Setting("static", .text("a folder"), help: "serve the files of this folder at /static/")
            ],
            defaults: ["max-body": "16MiB"])
        if let folder = app.configuration["static"] {
            app.files(folder, at: "/static")
            app.get("/download/{name}") { request in
                let name = try request.parameters.require("name")
                return try await .file(name, in: folder, for: request, .attachment(name))
            }
        }
        app.tls()
        addHTTPRoutes(to: app)
        addSocketRoutes(to: app)
        app.get("/stats") { _ in try .json(Statistics(await app.statistics() ?? ServerStatistics())) }
        try await app.run()
    }
}

/// The response of `/stats`.
private struct Statistics: Encodable {
    let connections: Int
    let sockets: Int
    let messagesIn: Int
    let messagesOut: Int
    let bytesIn: Int
    let bytesOut: Int
    let messagesDropped: Int
    let handlers: Int

    init(_ counted: ServerStatistics) {
        connections = counted.connections
        sockets = counted.sockets
        messagesIn = counted.messagesIn
        messagesOut = counted.messagesOut
        bytesIn = counted.bytesIn
        bytesOut = counted.bytesOut
        messagesDropped = counted.messagesDropped
        handlers = waitingHandlers.load(ordering: .relaxed)
    }
}

/// Blocks the calling thread, as a blocking library would.
func holdThread(milliseconds: UInt32) {
    usleep(milliseconds * 1000)
}
