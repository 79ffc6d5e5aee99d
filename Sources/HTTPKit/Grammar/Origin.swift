/// `scheme "://" host [ ":" port ]` (RFC 6454 §6.1). `null` is none: it equals nothing.
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

    private static func defaultPort(_ scheme: String) -> Int? {
        switch scheme {
        case "http", "ws": 80
        case "https", "wss": 443
        default: nil
        }
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
