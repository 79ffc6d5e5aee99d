import NIOSSL
import OnePort

/// A certificate with its chain and its private key, as read from their files.
struct KeyPair: Sendable {
    let files: TLSSettings.Files
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    let names: HostNames

    /// The file of the private key.
    static func keyFile(of files: TLSSettings.Files) -> String { files.key ?? files.certificate }

    /// Reads a pair. It may block.
    ///
    /// - Throws: `TLSError`.
    init(reading files: TLSSettings.Files) throws(TLSError) {
        self.files = files
        let keyFile = Self.keyFile(of: files)
        chain = try Self.certificates(in: files.certificate)
        let keyBytes = try readFile(keyFile)
        do {
            // A key with a passphrase has nobody to ask for it.
            key = try NIOSSLPrivateKey(bytes: keyBytes, format: .pem) { (set: ([UInt8]) -> Void) in set([]) }
        } catch {
            throw .noKey(file: keyFile)
        }
        guard let leaf = chain.first else { throw .noCertificate(file: files.certificate) }
        names = HostNames(of: leaf)
        try check()
    }

    /// The certificates of a PEM file. It may block.
    static func certificates(in file: String) throws(TLSError) -> [NIOSSLCertificate] {
        let bytes = try readFile(file)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw .noCertificate(file: file)
        }
        return certificates
    }

    /// Checks that the key is the certificate's and that both can be used.
    private func check() throws(TLSError) {
        do {
            _ = try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key)))
        } catch NIOSSLError.failedToLoadPrivateKey {
            // Both have been parsed, so they do not belong together.
            throw .mismatch(certificate: files.certificate, key: Self.keyFile(of: files))
        } catch {
            throw .unusable(file: files.certificate, reason: "\(error)")
        }
    }

    /// When the first certificate of the chain expires, in seconds since 1970.
    var expiry: Int { chain.map(\.notValidAfter).min() ?? 0 }
}
