package import HTTPKit

/// Which web pages may connect (RFC 6455 §10.2).
///
/// A browser sends its page's origin. A request without an origin does not come from a page and is allowed. Without this
/// check, any page that a user visits could open sockets in the user's name.
public enum OriginPolicy: Sendable {
    /// Only pages with the scheme, host and port of the request.
    ///
    /// Behind a proxy that terminates TLS or rewrites Host, the application knows these only if the proxy is trusted
    /// (`--trusted-proxies`) and sends X-Forwarded-Proto and X-Forwarded-Host, or Forwarded.
    case sameHost
    /// All pages.
    case any
    /// Pages of these origins, such as `https://example.org`. Case, default ports and a trailing slash are ignored. An
    /// entry that no browser sends, such as `null`, `file://` or one with a path, is an error when the application starts
    /// (`OriginListError`).
    case list([String])
    /// Pages for whose origin the function returns `true`. It gets the field as it was sent. Compare the whole value: a
    /// prefix also matches `https://example.org.evil.net`, and `null` is sent by any page that hides its origin.
    case matching(@Sendable (_ origin: String) -> Bool)

    /// Whether a request is allowed.
    ///
    /// - Parameters:
    ///   - origins: the values of all its `Origin` fields.
    ///   - scheme: `http` or `https`, as used by the client.
    ///   - host: the request's authority, with the port if it has one.
    package func allows(origins: [String], scheme: String, host: String?) -> Bool {
        guard let origin = origins.first else { return true }
        if case .any = self { return true }
        guard origins.count == 1 else { return false }
        switch self {
        case .any: return true
        case .matching(let isAllowed): return isAllowed(origin)
        case .list(let allowed):
            guard let parsed = Origin(origin) else { return false }
            return allowed.contains { (try? Origin(listed: $0)) == parsed }
        case .sameHost:
            guard let host, let parsed = Origin(origin), parsed.scheme == scheme else { return false }
            return Origin.Authority(host, defaultPort: parsed.defaultPort) == parsed.authority
        }
    }

    /// Checks that each entry of a list is a valid origin.
    package func check() throws(OriginListError) {
        guard case .list(let allowed) = self else { return }
        for text in allowed { _ = try Origin(listed: text) }
    }
}
