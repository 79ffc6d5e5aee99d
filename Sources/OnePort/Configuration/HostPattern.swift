import HTTPKit
import NIOCore

/// A host of the application: `example.com`, `*.example.com`, `localhost:8080`, `[::1]`.
///
/// Without a port, it matches every port. `*.example.com` matches all subdomains of `example.com`, at any depth, but not
/// `example.com` itself. Case and a trailing dot are ignored.
public struct HostPattern: Sendable, Hashable, CustomStringConvertible {
    /// The name or address, in lower case; without the `*` of a pattern.
    private let host: String
    private let port: Int?
    private let isForSubdomains: Bool
    /// The pattern as it was written.
    public let description: String

    /// Parses a host with or without a port. Returns `nil` for anything else, such as a URL or `*` alone.
    public init?(_ text: String) {
        description = text
        isForSubdomains = text.hasPrefix("*.")
        // The host of a wildcard pattern keeps its leading dot, because subdomains end with it.
        let rest = isForSubdomains ? String(text.dropFirst(2)) : text
        guard Authority.isValid(rest), !rest.hasSuffix(":"),
            let authority = Origin.Authority(rest, defaultPort: nil)
        else { return nil }
        let name = Self.normalized(authority.host)
        guard !name.isEmpty, !name.contains("*"), !(isForSubdomains && name.hasPrefix("[")) else {
            return nil
        }
        host = isForSubdomains ? "." + name : name
        port = authority.port
    }

    /// Whether the pattern matches an authority, as in `Host`.
    ///
    /// - Parameter scheme: The scheme, which determines the port of an authority without one.
    public func matches(_ authority: String, scheme: String) -> Bool {
        guard let asked = Origin.Authority(authority, defaultPort: Origin.defaultPort(scheme)) else {
            return false
        }
        if let port, port != asked.port { return false }
        let name = Self.normalized(asked.host)
        return isForSubdomains ? name.hasSuffix(host) && name.utf8.count > host.utf8.count : name == host
    }

    /// A name without a trailing dot, or an IPv6 address in its canonical form.
    private static func normalized(_ host: String) -> String {
        if host.hasPrefix("["), host.hasSuffix("]"),
            let text = (try? SocketAddress(ipAddress: String(host.dropFirst().dropLast()), port: 0))?
                .ipAddress
        {
            return "[\(text)]"
        }
        return host.hasSuffix(".") ? String(host.dropLast()) : host
    }
}

extension Middleware {
    /// Rejects requests for other hosts, or without a host, with 421 (Misdirected Request, RFC 9110 §15.5.20).
    static func hosts(_ hosts: [HostPattern]) -> Middleware {
        Middleware { request, next in
            guard let authority = request.authority,
                hosts.contains(where: { $0.matches(authority, scheme: request.scheme) })
            else { throw HTTPFailure(.misdirectedRequest, "this application does not serve this host") }
            return try await next(request)
        }
    }
}
