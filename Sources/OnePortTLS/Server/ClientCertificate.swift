public import HTTPKit
import NIOSSL

/// The certificate of a client, which one of the authorities of `TLSSettings.clientAuthorities` has signed.
public struct ClientCertificate: Sendable {
    private let certificate: NIOSSLCertificate

    init(_ certificate: NIOSSLCertificate) { self.certificate = certificate }

    /// The certificate in DER (X.690), for libraries that read certificates.
    public var derBytes: [UInt8] { (try? certificate.toDERBytes()) ?? [] }

    /// The common name of its subject; the last one if there are several.
    public var commonName: String? {
        certificate.subjectName.last { $0.type == .commonName }?.value
    }

    /// The organizations of its subject.
    public var organizations: [String] {
        certificate.subjectName.filter { $0.type == .organization }.map(\.value)
    }

    /// The host names among its subject's alternative names.
    public var dnsNames: [String] { certificate.alternativeNames(.dnsName) }

    /// The email addresses among its subject's alternative names.
    public var emailAddresses: [String] { certificate.alternativeNames(.email) }

    /// The URIs among its subject's alternative names.
    public var uris: [String] { certificate.alternativeNames(.uri) }

    /// Its serial number, the most significant byte first.
    public var serialNumber: [UInt8] { certificate.serialNumber }

    /// When it expires, in seconds since 1970.
    public var expiry: Int { certificate.notValidAfter }
}

extension Request {
    /// The certificate of the client. `nil` if the application asks for none, or if the connection is not encrypted here.
    public var clientCertificate: ClientCertificate? { securePeer as? ClientCertificate }
}
