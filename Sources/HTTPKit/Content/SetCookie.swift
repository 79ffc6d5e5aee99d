public import HTTPTypes

/// Why a cookie cannot be set. Such a cookie is the application's mistake unless the value came from a client.
public enum SetCookieError: ResponseError, Equatable {
    /// The name is not a token.
    case name(String)
    /// The value holds a character that no cookie may (RFC 6265 §4.1.1).
    case value(name: String)
    /// The path does not start with `/`, or holds a control character or `;`.
    case path(String)
    /// The domain is not a host name.
    case domain(String)
    /// Name and value are longer together than browsers keep.
    case tooLong(name: String, limit: Int, length: Int)
    /// A rule between attributes is broken: `SameSite=None`, `Partitioned` and `__Secure-` need Secure; `__Host-`
    /// needs Secure, `Path=/` and no Domain.
    case attributes(name: String, String)

    /// 500: an answer was to be sent that must not be.
    public var status: HTTPResponse.Status { .internalServerError }

    /// What is wrong, and with which cookie; never its value, which may be a secret.
    public var message: String {
        switch self {
        case .name(let name): "Set-Cookie: \(name.debugDescription) is not a cookie name"
        case .value(let name): "Set-Cookie: the value of \(name) holds a character that no cookie value may"
        case .path(let path): "Set-Cookie: \(path.debugDescription) is not a path"
        case .domain(let domain): "Set-Cookie: \(domain.debugDescription) is not a domain"
        case .tooLong(let name, let limit, let length):
            "Set-Cookie: \(name) has \(length) octets of name and value, more than \(limit)"
        case .attributes(let name, let rule): "Set-Cookie: \(name): \(rule)"
        }
    }
}

/// A cookie to be set (RFC 6265 §4.1; SameSite, prefixes and limits of its revision; Partitioned of CHIPS).
///
/// It is checked when it is made and cannot be changed, so what it writes is one field value and nothing else.
public struct SetCookie: Sendable, Hashable {
    /// When a browser sends the cookie along with requests from other sites.
    public enum SameSite: String, Sendable, Hashable {
        /// Never.
        case strict = "Strict"
        /// Only when the user follows a link here.
        case lax = "Lax"
        /// Always; needs Secure.
        case none = "None"
    }

    /// The largest name and value together that browsers keep, in octets.
    public static let maximumLength = 4096

    /// The name, a token.
    public let name: String
    /// The value, of cookie-octets.
    public let value: String
    private let attributes: String

    /// A cookie with its attributes.
    ///
    /// - Parameters:
    ///   - path: The Path attribute; `nil` leaves it to the browser, which takes the request's folder.
    ///   - domain: The Domain attribute; `nil` keeps the cookie with this host alone. A dot in front means nothing
    ///     (RFC 6265 §5.2.3) and is left out.
    ///   - maxAge: Max-Age in seconds; 0 or less deletes the cookie.
    ///   - expires: Expires; Max-Age wins where both are given.
    ///   - secure: Sent over TLS only.
    ///   - httpOnly: Hidden from scripts.
    ///   - sameSite: `nil` leaves the attribute out.
    ///   - partitioned: Kept apart for each top-level site; needs Secure.
    /// - Throws: `SetCookieError`, when the cookie could not be written as one valid field value.
    public init(
        _ name: String, _ value: String, path: String? = "/", domain: String? = nil, maxAge: Int? = nil,
        expires: HTTPDate? = nil, secure: Bool = false, httpOnly: Bool = true, sameSite: SameSite? = .lax,
        partitioned: Bool = false
    ) throws(SetCookieError) {
        try SetCookie.check(name: name, value: value)
        if let path {
            guard path.utf8.first == UInt8(ascii: "/"),
                path.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") })
            else { throw .path(path) }
        }
        let host = domain.map {
            $0.utf8.first == UInt8(ascii: ".") ? String($0.unicodeScalars.dropFirst()) : $0
        }
        if let host, !SetCookie.isDomain(host) { throw .domain(domain ?? host) }
        let rule = SetCookie.brokenRule(
            name: name, path: path, domain: domain, secure: secure, sameSite: sameSite,
            partitioned: partitioned)
        if let rule { throw .attributes(name: name, rule) }
        self.name = name
        self.value = value
        var text = ""
        if let path { text += "; Path=\(path)" }
        if let host { text += "; Domain=\(host)" }
        if let maxAge { text += "; Max-Age=\(maxAge)" }
        if let expires { text += "; Expires=\(expires)" }
        if secure { text += "; Secure" }
        if httpOnly { text += "; HttpOnly" }
        if let sameSite { text += "; SameSite=\(sameSite.rawValue)" }
        if partitioned { text += "; Partitioned" }
        attributes = text
    }

    /// The value of the Set-Cookie field. Several cookies are several fields: they cannot be combined into one
    /// (RFC 6265 §3).
    public var fieldValue: String { "\(name)=\(value)\(attributes)" }

    private static func check(name: String, value: String) throws(SetCookieError) {
        guard !name.isEmpty, name.utf8.allSatisfy(\.isTokenCharacter) else { throw .name(name) }
        var octets = Substring(value).utf8
        if octets.count >= 2, octets.first == UInt8(ascii: "\""), octets.last == UInt8(ascii: "\"") {
            octets = octets.dropFirst().dropLast()
        }
        guard octets.allSatisfy(isCookieOctet) else { throw .value(name: name) }
        let length = name.utf8.count + value.utf8.count
        guard length <= maximumLength else {
            throw .tooLong(name: name, limit: maximumLength, length: length)
        }
    }

    /// cookie-octet: visible ASCII without double quote, comma, semicolon and backslash (RFC 6265 §4.1.1).
    private static func isCookieOctet(_ byte: UInt8) -> Bool {
        byte.isVisible && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: ",") && byte != UInt8(ascii: ";")
            && byte != UInt8(ascii: "\\")
    }

    /// Labels of letters, digits, hyphens and underscores. No host name holds an underscore, but names in the DNS do.
    private static func isDomain(_ domain: String) -> Bool {
        guard domain.utf8.count <= 253 else { return false }
        return domain.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy {
            label in
            1...63 ~= label.count && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy {
                    $0.isAlpha || $0.isDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
                }
        }
    }

    private static func brokenRule(
        name: String, path: String?, domain: String?, secure: Bool, sameSite: SameSite?, partitioned: Bool
    ) -> String? {
        let lowercased = name.lowercased()
        if lowercased.hasPrefix("__host-"), !secure || path != "/" || domain != nil {
            return "the prefix __Host- needs Secure, Path=/ and no Domain"
        }
        if lowercased.hasPrefix("__secure-"), !secure { return "the prefix __Secure- needs Secure" }
        if sameSite == SameSite.none, !secure { return "SameSite=None needs Secure" }
        if partitioned, !secure { return "Partitioned needs Secure" }
        return nil
    }
}
