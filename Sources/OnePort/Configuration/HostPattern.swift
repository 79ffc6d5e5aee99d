import HTTPKit
import NIOCore

/// A host that the application answers for: `example.com`, `*.example.com`, `localhost:8080`, `[::1]`.
///
/// Without a port it stands for that host on every port. `*.example.com` stands for all names below `example.com`, at
/// any depth, and not for `example.com` itself. Case and a dot at the end of a name do not matter.
public struct HostPattern: Sendable, Hashable, CustomStringConvertible {
    /// The name or address, in lower case; without the `*` of a pattern.
    private let host: String
    private let port: Int?
    private let isForSubdomains: Bool
    /// As it was written.
    public let description: String

    /// Reads a host with or without a port. `nil` if it is neither, such as a URL or `*` alone.
    public init?(_ text: String) {
        description = text
        isForSubdomains = text.hasPrefix("*.")
        // The dot stays: what a name must end with.
        let rest = isForSubdomains ? String(text.dropFirst(2)) : text
        guard Request.isAuthority(rest), !rest.hasSuffix(":"),
            let authority = Origin.Authority(rest, defaultPort: nil)
        else { return nil }
        let name = Self.normalized(authority.host)
        guard !name.isEmpty, !name.contains("*"), !(isForSubdomains && name.hasPrefix("[")) else {
            return nil
        }
        host = isForSubdomains ? "." + name : name
        port = authority.port
    }

    /// Whether an authority, as in Host, is covered.
    ///
    /// - Parameter scheme: gives the port of an authority that names none.
    public func matches(_ authority: String, scheme: String) -> Bool {
        guard let asked = Origin.Authority(authority, defaultPort: Origin.defaultPort(scheme)) else {
            return false
        }
        if let port, port != asked.port { return false }
        let name = Self.normalized(asked.host)
        return isForSubdomains ? name.hasSuffix(host) && name.utf8.count > host.utf8.count : name == host
    }

    /// A name without the dot that may end it, or an IPv6 address in its usual form.
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
    /// Answers requests for other hosts with 421 (Misdirected Request, RFC 9110 §15.5.20), also those without a host.
    static func hosts(_ hosts: [HostPattern]) -> Middleware {
        Middleware { request, next in
            guard let authority = request.authority,
                hosts.contains(where: { $0.matches(authority, scheme: request.scheme) })
            else { throw HTTPFailure(.misdirectedRequest, "this application does not answer for this host") }
            return try await next(request)
        }
    }
}
