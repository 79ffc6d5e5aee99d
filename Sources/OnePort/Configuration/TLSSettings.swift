/// How an application speaks TLS: its certificates, the lowest version, and what clients must bring.
///
/// The product OnePortTLS puts it into effect: `app.tls()`.
public struct TLSSettings: Sendable, Hashable {
    /// A version of TLS.
    public enum Version: String, Sendable, Hashable, CaseIterable {
        /// TLS 1.2 (RFC 5246), with forward secrecy and authenticated encryption only.
        case tls12 = "1.2"
        /// TLS 1.3 (RFC 8446).
        case tls13 = "1.3"
    }

    /// The files of a certificate. Relative paths are relative to the working directory.
    public struct Files: Sendable, Hashable {
        /// A PEM file with the certificate, followed by those of its intermediate authorities.
        public var certificate: String
        /// A PEM file with the private key, without a passphrase. `nil` means that it is in the certificate's file.
        public var key: String?

        /// The files of a certificate.
        public init(certificate: String, key: String? = nil) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// The certificates. A client gets the one for the host that it names (SNI, RFC 6066 §3), and the first one if none is
    /// for that host.
    public var certificates: [Files] = []
    /// The lowest version of TLS.
    public var minVersion = Version.tls12
    /// A PEM file with certificate authorities. If it is set, each client must have a certificate of one of them.
    public var clientAuthorities: String?
    /// Whether requests without TLS are redirected to https with 308, on addresses with TLS and on other TCP addresses.
    /// Otherwise an address with TLS responds to them with 400.
    public var redirectsHTTP = false

    /// No certificates.
    public init() {}

    /// Whether there is no certificate.
    var isEmpty: Bool { certificates.isEmpty }
}
