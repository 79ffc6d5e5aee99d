import NIOSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A client does not accept the certificate of a server. It is not worth trying again.
public enum ServerIdentityError: Error, Sendable, Equatable, CustomStringConvertible {
    /// No authority that the client trusts has signed the certificate, or it may not be used for this.
    case untrusted(host: String)
    /// The certificate's time is over.
    case expired(host: String)
    /// The certificate's time has not begun.
    case notYetValid(host: String)
    /// The certificate is for other hosts.
    case wrongHost(String)
    /// The host is an IP address, which cannot be verified through a proxy.
    case addressBehindProxy(String)

    /// The error of a handshake; `nil` if it has another reason than the server's certificate.
    init?(of error: any Error, certificate: NIOSSLCertificate?, host: String, now: Int = time(nil)) {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            self = .wrongHost(host)
            return
        }
        switch error as? NIOSSLError {
        case .unableToValidateCertificate?: self = .wrongHost(host)
        case .handshakeFailed(let reason)? where "\(reason)".contains("CERTIFICATE_VERIFY_FAILED"):
            if let certificate, certificate.notValidAfter < now {
                self = .expired(host: host)
            } else if let certificate, certificate.notValidBefore > now {
                self = .notYetValid(host: host)
            } else {
                self = .untrusted(host: host)
            }
        default: return nil
        }
    }

    /// What is wrong with the certificate of which host.
    public var description: String {
        switch self {
        case .untrusted(let host): "the certificate of \(host) is not signed by a trusted authority"
        case .expired(let host): "the certificate of \(host) has expired"
        case .notYetValid(let host): "the certificate of \(host) is not valid yet"
        case .wrongHost(let host): "the certificate of the server is not for \(host)"
        case .addressBehindProxy(let host):
            "the certificate of \(host) cannot be verified through a proxy, because it is an IP address"
        }
    }
}
