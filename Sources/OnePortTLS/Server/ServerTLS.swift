import HTTPKit
import NIOCore
import OnePort
import UnixSignals

/// TLS on the connections of a server.
struct ServerTLS: ApplicationSecurity {
    let certificates: ServerCertificates
    let plainHandler: Handler

    func secure(
        _ channel: any Channel, applicationProtocols: [String], begin: @escaping (HandshakeResult) -> Void
    ) throws {
        try channel.pipeline.syncOperations.addHandler(
            FirstByteHandler(
                certificates: certificates, applicationProtocols: applicationProtocols, begin: begin))
    }

    /// How often the files are looked at.
    static let checkInterval = Duration.seconds(10)
    /// How often certificates that expire soon are warned of.
    static let expiryInterval = Duration.seconds(86_400)

    func keepFresh() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while (try? await Task.sleep(for: Self.checkInterval)) != nil { await certificates.reload() }
            }
            group.addTask {
                while (try? await Task.sleep(for: Self.expiryInterval)) != nil { certificates.warnOfExpiry() }
            }
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sighup) {
                    await certificates.reload(always: true)
                }
            }
        }
    }
}
