import HTTPKit
import NIOCore
import NIOPosix
import OnePort
import Testing

@testable import OnePortTLS

/// Serves an application with TLS on a free port of 127.0.0.1.
func withServer(
    _ names: String..., settings change: (inout TLSSettings) -> Void = { _ in },
    declare: (App) -> Void = { _ in },
    _ body: (_ port: Int, _ server: HTTPServer) async throws -> Void
) async throws {
    let app = App(configuration: AppConfiguration())
    declare(app)
    var settings = TLSSettings()
    settings.certificates = names.map(Fixture.files)
    change(&settings)
    let certificates = try await ServerCertificates(settings: settings, logger: NotedLog().logger)
    let security = ServerTLS(certificates: certificates, plainHandler: app.configuration.plainHandler)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let server = try app.makeServer(group: group, host: "127.0.0.1", port: 0, security: security)
    let result: Result<Void, any Error>
    do {
        try await server.start()
        try await body(try #require(server.addresses.first?.port), server)
        result = .success(())
    } catch {
        result = .failure(error)
    }
    await server.shutdown(within: .seconds(1))
    try await group.shutdownGracefully()
    try result.get()
}
