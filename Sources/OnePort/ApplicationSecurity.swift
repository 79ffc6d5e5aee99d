package import HTTPKit
package import Logging
import Synchronization

/// What encrypts the connections of an application. OnePortTLS has it.
package protocol ApplicationSecurity: ConnectionSecurity {
    /// Keeps the certificates fresh until the task is cancelled.
    func keepFresh() async
}

/// Makes the security of an application from its configuration; `nil` if no certificate is configured.
package typealias MakeSecurity =
    @Sendable (_ configuration: AppConfiguration, _ logger: Logger) async throws ->
    (any ApplicationSecurity)?

/// Why an application cannot speak TLS.
enum SecurityError: Error, CustomStringConvertible {
    /// A certificate is configured, and nothing in the application speaks TLS.
    case noProduct(setting: String)
    /// There is a certificate, and no address that speaks TLS.
    case noListener
    /// There is an address that speaks TLS, and no certificate.
    case noCertificate(HTTPListener)

    var description: String {
        switch self {
        case .noProduct(let setting):
            "\(setting) is set, but this application does not speak TLS: "
                + "it needs the product OnePortTLS and a call of app.tls()"
        case .noListener:
            "there is a certificate, but no address speaks TLS: write --listen tls:HOST:PORT"
        case .noCertificate(let listener):
            "the address \(listener) speaks TLS and needs a certificate: --tls-certificate and --tls-key"
        }
    }
}

extension App {
    /// Has the application speak TLS.
    package func secure(_ make: @escaping MakeSecurity) { security.withLock { $0 = make } }

    /// What encrypts the connections; `nil` if none are encrypted.
    ///
    /// - Throws: `SecurityError` if the settings do not fit together; the errors of the certificates.
    func makeSecurity() async throws -> (any ApplicationSecurity)? {
        let secureListener = configuration.listeners.first(where: \.usesTLS)
        guard let make = security.withLock({ $0 }) else {
            if !configuration.tls.isEmpty { throw SecurityError.noProduct(setting: "--tls-certificate") }
            if let secureListener { throw SecurityError.noProduct(setting: "--listen \(secureListener)") }
            return nil
        }
        guard let made = try await make(configuration, logger) else {
            if let secureListener { throw SecurityError.noCertificate(secureListener) }
            return nil
        }
        if !configuration.listeners.isEmpty, secureListener == nil { throw SecurityError.noListener }
        return made
    }
}
