import HTTPKit
import Logging
public import OnePort

extension App {
    /// Has the application speak TLS, with HTTP/1.1 and HTTP/2, if certificates are configured. Call it before `run`.
    ///
    /// ```swift
    /// let app = App()
    /// app.tls()
    /// ```
    ///
    /// `--tls-certificate` and `--tls-key` name the files. With certificates, `--host` and `--port` speak TLS, or the
    /// addresses of `--listen` that begin with `tls:`. Without any, the application serves http only.
    ///
    /// While the application runs, the files are read again when they change and on SIGHUP. New connections then get the
    /// new certificates, and open connections go on. If the new files are not valid, the old certificates stay, and the
    /// reason is logged as an error.
    ///
    /// `run` fails with `TLSError` if the files cannot be read, are not valid, or do not belong together.
    ///
    /// - Parameter settings: What holds instead of the settings of the command line and the environment, if they name no
    ///   certificate.
    public func tls(_ settings: TLSSettings = TLSSettings()) {
        secure { configuration, logger in
            var configured = configuration.tls
            if configured.certificates.isEmpty {
                let redirects = configured.redirectsHTTP || settings.redirectsHTTP
                configured = settings
                configured.redirectsHTTP = redirects
            }
            guard !configured.certificates.isEmpty else { return nil }
            let certificates = try await ServerCertificates(settings: configured, logger: logger)
            return ServerTLS(certificates: certificates, plainHandler: configuration.plainHandler)
        }
    }

    /// Has the application speak TLS with one certificate, unless the settings name others. See `tls(_:)`.
    ///
    /// - Parameters:
    ///   - certificate: A PEM file with the certificate and its chain.
    ///   - key: A PEM file with the private key; `nil` if it is in the certificate's file.
    public func tls(certificate: String, key: String? = nil) {
        var settings = TLSSettings()
        settings.certificates = [TLSSettings.Files(certificate: certificate, key: key)]
        tls(settings)
    }
}
