/// One address that a server listens on, and how its connections begin.
public struct HTTPListener: Sendable, Hashable {
    /// Where to listen.
    public var address: BindAddress
    /// Whether its connections begin with a PROXY header.
    public var proxyProtocol: ProxyProtocol
    /// Whether its connections speak TLS. The server then needs a certificate.
    public var usesTLS: Bool

    /// A listener at `address`.
    public init(_ address: BindAddress, proxyProtocol: ProxyProtocol = .off, usesTLS: Bool = false) {
        self.address = address
        self.proxyProtocol = proxyProtocol
        self.usesTLS = usesTLS
    }

    /// Parses an address as text. `tls:` stands before an address that speaks TLS: `tls:[::]:8443`.
    public init(_ text: String) throws(BindAddressError) {
        let usesTLS = text.hasPrefix("tls:")
        self.init(try BindAddress(usesTLS ? String(text.dropFirst(4)) : text), usesTLS: usesTLS)
    }
}

extension HTTPListener: CustomStringConvertible {
    /// The address as text, as `init(_:)` parses it.
    public var description: String { usesTLS ? "tls:\(address)" : address.description }
}

/// A listener is to speak TLS, and the server has no certificate.
public struct NoCertificateError: Error, CustomStringConvertible {
    /// The listener.
    public let listener: HTTPListener

    /// Which listener it is.
    public var description: String { "the address \(listener) needs a certificate" }
}
