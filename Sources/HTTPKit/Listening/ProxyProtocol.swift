/// Whether the connections of a listener begin with a PROXY header, in which a proxy that forwards bytes, such as a TCP
/// load balancer, says who its client is (HAProxy's "The PROXY protocol, versions 1 & 2").
///
/// There is no "if present": a client could then write a header itself (§2 of the specification).
public enum ProxyProtocol: String, Sendable, Hashable, CaseIterable {
    /// Connections begin with their first request.
    case off
    /// Every connection begins with a PROXY header of version 1 or 2. Connections from other addresses than those of
    /// trusted proxies are closed, and so are those with a malformed header or, after `HTTPLimits.headTimeout`, without
    /// a whole one.
    ///
    /// - `Request.remoteAddress` and `clientAddress`, and the limits per address, follow the header.
    /// - Forwarded headers of requests count only if the address in the PROXY header is that of a trusted proxy.
    /// - `LOCAL`, with which a proxy checks the server's health, leaves `remoteAddress` and `clientAddress` at the
    ///   proxy's own address.
    /// - With `UNKNOWN`, and with a client that has no IP address, `remoteAddress` is the proxy's and `clientAddress` is
    ///   `nil`.
    /// - TLVs (type-length-value vectors) are skipped. `Request.scheme` is that of the connection.
    case required
}

/// A server is to read PROXY headers, and there is nobody whose headers it may believe.
public struct NoTrustedProxyError: Error, CustomStringConvertible {
    /// What is missing.
    public var description: String {
        "--proxy-protocol required needs --trusted-proxies: the addresses whose PROXY headers are believed"
    }
}
