/// Where a WebSocket is: `ws://host[:port]/path?query` or `wss://…` (RFC 6455 §3).
public struct WebSocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// Whether TLS is wanted: `wss`.
    public let isSecure: Bool
    /// The name or address; that of an IPv6 address without brackets.
    public let host: String
    /// The port: 80 for `ws` and 443 for `wss` when the address has none.
    public let port: Int
    /// Path and query as they are sent; `/` when there is none.
    public let target: String

    /// Reads an address.
    ///
    /// - Throws: `WebSocketAddressError`, which names what is wrong.
    public init(_ text: String) throws(WebSocketAddressError) {
        let lower = text.lowercased()
        let scheme: String
        if lower.hasPrefix("ws://") {
            scheme = "ws://"
        } else if lower.hasPrefix("wss://") {
            scheme = "wss://"
        } else {
            throw WebSocketAddressError(text: text, reason: "it begins with neither ws:// nor wss://")
        }
        isSecure = scheme == "wss://"
        let rest = text.dropFirst(scheme.count)
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = rest[..<authorityEnd]
        guard !authority.contains("@") else {
            throw WebSocketAddressError(
                text: text, reason: "it holds a user name, which WebSocket addresses do not")
        }
        let (host, port) = Self.split(authority)
        guard !host.isEmpty else { throw WebSocketAddressError(text: text, reason: "it has no host") }
        // The host becomes a line of the request: nothing may end that line.
        guard host.utf8.allSatisfy(Self.isHostOctet) else {
            throw WebSocketAddressError(
                text: text, reason: "its host holds a character that host names do not")
        }
        self.host = host
        if let port, !port.isEmpty {
            guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port), number > 0
            else {
                throw WebSocketAddressError(text: text, reason: "its port is \(port), not within 1-65535")
            }
            self.port = Int(number)
        } else {
            self.port = isSecure ? 443 : 80
        }
        let target = rest[authorityEnd...]
        guard !target.contains("#") else {
            throw WebSocketAddressError(
                text: text, reason: "it holds a fragment, which WebSocket addresses do not")
        }
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw WebSocketAddressError(text: text, reason: "its path is not percent-encoded")
        }
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
    }

    /// Letters, digits and what else a name or an IPv6 address may hold (RFC 3986 §3.2.2).
    private static func isHostOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~%!$&'()*+,;=:".utf8.contains(octet)
        }
    }

    private static func split(_ authority: Substring) -> (host: String, port: Substring?) {
        if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
            let host = String(authority[authority.index(after: authority.startIndex)..<close])
            let rest = authority[authority.index(after: close)...]
            // What stands behind the bracket and is no port is refused as one.
            return (host, rest.isEmpty ? nil : rest.hasPrefix(":") ? rest.dropFirst() : rest)
        }
        guard let colon = authority.lastIndex(of: ":") else { return (String(authority), nil) }
        return (String(authority[..<colon]), authority[authority.index(after: colon)...])
    }

    /// Host and port as they stand in Host: the scheme's own port is left out.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The address as text.
    public var description: String { "\(isSecure ? "wss" : "ws")://\(authority)\(target)" }
}

/// Why a text is no WebSocket address.
public struct WebSocketAddressError: Error, Hashable, CustomStringConvertible {
    /// The text.
    public let text: String
    /// What is wrong with it.
    public let reason: String

    /// Text and reason.
    public var description: String { "\"\(text)\" is no WebSocket address: \(reason)" }
}
