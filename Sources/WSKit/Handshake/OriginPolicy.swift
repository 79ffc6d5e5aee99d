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
            guard let host, let authority = Authority(host, defaultPort: parsed.defaultPort) else {
                return false
            }
            return authority == parsed.authority
        }
    }
}

/// `scheme "://" host [ ":" port ]` (RFC 6454 §6.1). `null` is none: it equals nothing.
private struct Origin: Equatable {
    let scheme: String
    let authority: Authority

    init?(_ text: String) {
        let lower = text.lowercased()
        guard let colon = lower.firstIndex(of: ":"), lower[colon...].hasPrefix("://") else { return nil }
        scheme = String(lower[..<colon])
        let rest = lower[lower.index(colon, offsetBy: 3)...]
        guard !rest.contains("/"),
            let authority = Authority(String(rest), defaultPort: Self.defaultPort(scheme))
        else { return nil }
        self.authority = authority
    }

    var defaultPort: Int? { Self.defaultPort(scheme) }

    private static func defaultPort(_ scheme: String) -> Int? {
        switch scheme {
        case "http", "ws": 80
        case "https", "wss": 443
        default: nil
        }
    }
}

/// A host in small letters and a port, the scheme's when none is given.
private struct Authority: Equatable {
    let host: String
    let port: Int?

    init?(_ text: String, defaultPort: Int?) {
        let lower = text.lowercased()
        // The colons of an IPv6 address stand within brackets.
        let tail = lower.lastIndex(of: "]").map { lower.index(after: $0) } ?? lower.startIndex
        if let colon = lower[tail...].lastIndex(of: ":") {
            let digits = lower[lower.index(after: colon)...]
            guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            if digits.isEmpty {
                port = defaultPort
            } else {
                guard let number = UInt16(digits) else { return nil }
                port = Int(number)
            }
            host = String(lower[..<colon])
        } else {
            host = lower
            port = defaultPort
        }
        guard !host.isEmpty else { return nil }
    }
}
