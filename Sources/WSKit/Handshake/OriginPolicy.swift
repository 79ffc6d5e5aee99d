import HTTPKit

/// From which pages browsers may connect (RFC 6455 §10.2).
///
/// A browser sends its page's origin; a request without one does not come from a page and passes. Without this
/// check any page that a user visits could open sockets in the user's name.
public enum OriginPolicy: Sendable, Hashable {
    /// Only pages of the same host and port as the request's `Host`.
    case sameHost
    /// Pages from anywhere.
    case any
    /// Pages of these origins, such as `https://example.org`; case and default ports do not matter.
    case list([String])

    /// Whether a request passes.
    ///
    /// - Parameters:
    ///   - origins: the values of all its `Origin` fields.
    ///   - host: its `Host`, with the port when it has one.
    package func allows(origins: [String], host: String?) -> Bool {
        guard let origin = origins.first else { return true }
        guard self != .any else { return true }
        guard origins.count == 1, let parsed = Origin(origin) else { return false }
        switch self {
        case .any: return true
        case .list(let allowed): return allowed.contains { Origin($0) == parsed }
        case .sameHost:
            guard let host, let authority = Origin.Authority(host, defaultPort: parsed.defaultPort) else {
                return false
            }
            return authority == parsed.authority
        }
    }
}
