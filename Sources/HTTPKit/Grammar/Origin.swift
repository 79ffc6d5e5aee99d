/// `scheme "://" host [ ":" port ]` (RFC 6454 §6.1). `null` is not an origin that equals anything.
package struct Origin: Equatable, Sendable {
    package let scheme: String
    package let authority: Authority

    /// Reads the value of an Origin field; case and default ports do not matter.
    package init?(_ text: String) {
        let lower = text.lowercased()
        guard let colon = lower.firstIndex(of: ":"), lower[colon...].hasPrefix("://") else { return nil }
        scheme = String(lower[..<colon])
        let rest = lower[lower.index(colon, offsetBy: 3)...]
        guard !rest.contains("/"),
            let authority = Authority(String(rest), defaultPort: Self.defaultPort(scheme))
        else { return nil }
        self.authority = authority
    }

    /// The port of an authority of this scheme that names none.
    package var defaultPort: Int? { Self.defaultPort(scheme) }

    /// The port of a scheme whose URLs name none.
    package static func defaultPort(_ scheme: String) -> Int? {
        switch scheme {
        case "http", "ws": 80
        case "https", "wss": 443
        default: nil
        }
    }
}

/// An entry in a list of origins that no request can match.
public struct OriginListError: Error, Equatable, CustomStringConvertible {
    /// The entry as it was written.
    public let origin: String
    /// What is wrong with it, and what to write instead.
    public let reason: String

    /// The entry and the reason.
    public var description: String { "the list of origins has \"\(origin)\": \(reason)" }
}

extension Origin {
    /// Reads an entry of an application's list of allowed origins.
    ///
    /// Upper case, default ports and one slash at the end are accepted, since only one thing can be meant by them.
    ///
    /// - Throws: `OriginListError` for an entry that would never match, because browsers send no such origin.
    package init(listed text: String) throws(OriginListError) {
        func error(_ reason: String) -> OriginListError { OriginListError(origin: text, reason: reason) }
        let lower = text.lowercased()
        if lower == "null" {
            throw error(
                "any page can hide its origin and be \"null\"; decide by a function, or allow any origin")
        }
        if lower.contains("*") {
            throw error("a list has no patterns; decide by a function, or allow any origin")
        }
        guard let mark = lower.firstRange(of: "://") else {
            throw error("an origin begins with a scheme, as https://example.org does")
        }
        switch lower[..<mark.lowerBound] {
        case "file": throw error("pages from files send \"null\" as their origin; decide by a function")
        case "ws", "wss": throw error("the origin is that of the page, so it begins with http:// or https://")
        default: break
        }
        let rest = lower[mark.upperBound...]
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        guard !authority.contains(where: { "/?#@".contains($0) }) else {
            throw error("an origin has no path, query or user, only scheme, host and port")
        }
        let bytes = Array(authority.utf8)
        guard bytes.allSatisfy(\.isVisible) else {
            throw error("browsers send hosts in ASCII; write an international name as they do, with xn--")
        }
        guard Self.isScheme(lower[..<mark.lowerBound]),
            HTTPKit.Authority.isValid(bytes.span, 0..<bytes.count),
            let origin = Origin(String(lower[..<mark.upperBound] + authority))
        else { throw error("it is not scheme://host or scheme://host:port") }
        self = origin
    }

    /// `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 §3.1).
    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, first.isAlpha else { return false }
        return text.utf8.allSatisfy { $0.isAlpha || $0.isDigit || "+-.".utf8.contains($0) }
    }
}

extension Origin {
    /// A host in small letters and a port, the scheme's when none is given.
    package struct Authority: Equatable, Sendable {
        package let host: String
        package let port: Int?

        /// Reads `host [ ":" port ]`.
        package init?(_ text: String, defaultPort: Int?) {
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
}
