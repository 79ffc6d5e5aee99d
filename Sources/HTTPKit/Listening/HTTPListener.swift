/// One address that a server listens on, and how its connections begin.
public struct HTTPListener: Sendable, Hashable {
    /// Where to listen.
    public var address: BindAddress
    /// Whether its connections begin with a PROXY header.
    public var proxyProtocol: ProxyProtocol

    /// A listener at `address`.
    public init(_ address: BindAddress, proxyProtocol: ProxyProtocol = .off) {
        self.address = address
        self.proxyProtocol = proxyProtocol
    }
}
