/// The address of a WebSocket: `ws://host[:port]/path?query` or `wss://…` (RFC 6455 §3).
public struct WebSocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// Whether the scheme is `wss`, which uses TLS.
    public let isSecure: Bool
    /// The host name or IP address. An IPv6 address has no brackets here.
    public let host: String
    /// The port. Without a port in the address it is 80 for `ws` and 443 for `wss`.
    public let port: Int
    /// The path and query as they are sent; `/` if the address has no path.
    public let target: String

    /// Parses an address.
    ///
    /// - Throws: `WebSocketAddressError`.
    public init(_ text: String) throws(WebSocketAddressError) {
        let lower = text.lowercased()
        let scheme: String
        if lower.hasPrefix("ws://") {
            scheme = "ws://"
        } else if lower.hasPrefix("wss://") {
            scheme = "wss://"
        } else {
            throw WebSocketAddressError(text: text, reason: "it does not begin with ws:// or wss://")
        }
        isSecure = scheme == "wss://"
        let rest = text.dropFirst(scheme.count)
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let authority = rest[..<authorityEnd]
        guard !authority.contains("@") else {
            throw WebSocketAddressError(
                text: text, reason: "it contains a user name")
        }
        let (host, port) = Self.split(authority)
        guard !host.isEmpty else { throw WebSocketAddressError(text: text, reason: "it has no host") }
        // The host is sent in a line of the request, so it must not be able to end that line.
        guard host.utf8.allSatisfy(Self.isHostByte) else {
            throw WebSocketAddressError(
                text: text, reason: "its host contains an invalid character")
        }
        self.host = host
        if let port, !port.isEmpty {
            guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port), number > 0
            else {
                throw WebSocketAddressError(text: text, reason: "its port \(port) is not within 1-65535")
            }
            self.port = Int(number)
        } else {
            self.port = isSecure ? 443 : 80
        }
        let target = rest[authorityEnd...]
        guard !target.contains("#") else {
            throw WebSocketAddressError(
                text: text, reason: "it contains a fragment")
        }
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw WebSocketAddressError(text: text, reason: "its path is not percent-encoded")
        }
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
    }

    /// Letters, digits, and the other characters of names and IPv6 addresses (RFC 3986 §3.2.2).
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~%!$&'()*+,;=:".utf8.contains(byte)
        }
    }

    private static func split(_ authority: Substring) -> (host: String, port: Substring?) {
        if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
            let host = String(authority[authority.index(after: authority.startIndex)..<close])
            let rest = authority[authority.index(after: close)...]
            // Anything else after the bracket is rejected as an invalid port.
            return (host, rest.isEmpty ? nil : rest.hasPrefix(":") ? rest.dropFirst() : rest)
        }
        guard let colon = authority.lastIndex(of: ":") else { return (String(authority), nil) }
        return (String(authority[..<colon]), authority[authority.index(after: colon)...])
    }

    /// The host and port as sent in `Host`. The scheme's default port is omitted.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The address as text.
    public var description: String { "\(isSecure ? "wss" : "ws")://\(authority)\(target)" }
}

/// Why a string is not a WebSocket address.
public struct WebSocketAddressError: Error, Hashable, CustomStringConvertible {
    /// The text.
    public let text: String
    /// What is wrong with it.
    public let reason: String

    /// A description with text and reason.
    public var description: String { "\"\(text)\" is not a WebSocket address: \(reason)" }
}
