import NIOSSL

/// The host names that a certificate is for, to choose one of several by the name that a client asks for (SNI,
/// RFC 6066 §3).
struct HostNames: Sendable, Equatable {
    private var exact: Set<String> = []
    /// The rest of names such as `*.example.com`, which stand for one label each (RFC 9525 §6.3).
    private var wildcards: Set<Substring> = []

    /// Host names of a certificate.
    init(_ names: some Sequence<String>) {
        for name in names.map({ $0.lowercased() }) {
            if name.hasPrefix("*.") { wildcards.insert(name.dropFirst(2)) } else { exact.insert(name) }
        }
    }

    /// The subject alternative names of a certificate that are DNS names or, without any, its common name.
    init(of certificate: NIOSSLCertificate) {
        var names = certificate.alternativeNames(.dnsName)
        if names.isEmpty {
            names = certificate.subjectName.filter { $0.type == .commonName }.map(\.value)
        }
        self.init(names)
    }

    /// Whether one of the names is exactly `host`, in lower case and without a dot at its end.
    func hasExactly(_ host: String) -> Bool { exact.contains(host) }

    /// Whether one of the names is a pattern that `host` fits.
    func hasPattern(for host: String) -> Bool {
        guard let dot = host.firstIndex(of: "."), dot != host.startIndex else { return false }
        return wildcards.contains(host[host.index(after: dot)...])
    }

    /// The index of the names that fit `host` best: an exact name comes before a pattern.
    static func index(for host: String, in candidates: [HostNames]) -> Int? {
        var host = host.lowercased()
        if host.hasSuffix(".") { host.removeLast() }
        return candidates.firstIndex { $0.hasExactly(host) }
            ?? candidates.firstIndex { $0.hasPattern(for: host) }
    }
}

extension NIOSSLCertificate {
    /// The alternative names of the subject that are of one type.
    func alternativeNames(_ type: _SubjectAlternativeName.NameType) -> [String] {
        _subjectAlternativeNames().compactMap { name in
            guard name.nameType == type else { return nil }
            // The bytes are those of the certificate, and are copied here.
            return name.contents.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        }
    }
}
