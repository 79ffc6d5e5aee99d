/// Why certificates cannot be used.
public enum TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A file cannot be read.
    case unreadable(file: String, reason: String)
    /// A file holds no certificate in PEM.
    case noCertificate(file: String)
    /// A file holds no private key in PEM, or the key has a passphrase.
    case noKey(file: String)
    /// A private key is not the one of its certificate.
    case mismatch(certificate: String, key: String)
    /// The certificates cannot be used together for another reason.
    case unusable(file: String, reason: String)

    /// Which file it is, and what is wrong with it.
    public var description: String {
        switch self {
        case .unreadable(let file, let reason): "the file \(file) cannot be read: \(reason)"
        case .noCertificate(let file): "the file \(file) holds no valid certificate in PEM"
        case .noKey(let file):
            "the file \(file) holds no valid private key in PEM; a key with a passphrase cannot be used"
        case .mismatch(let certificate, let key):
            "the private key in \(key) is not the one of the certificate in \(certificate)"
        case .unusable(let file, let reason): "the certificate in \(file) cannot be used: \(reason)"
        }
    }
}
