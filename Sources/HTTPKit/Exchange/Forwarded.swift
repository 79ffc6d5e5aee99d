import HTTPTypes
import NIOCore

/// Which header fields of a trusted proxy are read. The other ones are ignored.
///
/// A proxy usually writes one kind of field and passes the other kind through as the client sent it. Only one kind can
/// therefore be believed.
public enum ForwardedFields: String, Sendable, Hashable, CaseIterable {
    /// `Forwarded` (RFC 7239).
    case forwarded
    /// `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `-Prefix`.
    case xForwarded = "x-forwarded"
}

/// What trusted proxies say about the client that they forward for.
///
/// Each proxy appends the address of its own peer. The list is read from its end for as long as the addresses are those
/// of trusted proxies: the rightmost untrusted address is the client, and everything to the left of it may be forged.
///
/// A value that is malformed is not believed: the client is then unknown, and never the proxy.
struct Forwarded {
    /// The client's address, with port 0. `nil` if the proxies do not say it, hide it (RFC 7239 §6.2, §6.3), or if
    /// what they say is malformed.
    var address: SocketAddress?
    /// `http` or `https`; `nil` if it is not said.
    var scheme: String?
    /// The host that the client asked for, with its port if it named one; `nil` if it is not said.
    var host: String?
    /// The port that the client connected to; `nil` if it is not said.
    var port: Int?
    /// The path that proxies have removed from the front of the target, without a slash at its end.
    var prefix = ""

    /// Reads the fields of a request that came from a trusted proxy.
    init(_ fields: RequestFields, _ kind: ForwardedFields, isProxy: (SocketAddress) -> Bool) {
        switch kind {
        case .forwarded: self.init(elementsOf: fields, isProxy)
        case .xForwarded: self.init(listsOf: fields, isProxy)
        }
    }

    /// The authority that the client asked for, when `own` is the one that the request has.
    ///
    /// - Parameter scheme: the client's scheme, whose default port is left out.
    func authority(own: String?, scheme: String) -> String? {
        guard let base = host ?? own else { return nil }
        guard let port, let named = Origin.Authority(base, defaultPort: nil), named.port == nil,
            port != Origin.defaultPort(scheme)
        else { return base }
        // "host:" is "host" with an empty port (RFC 3986 §3.2.3).
        return base.hasSuffix(":") ? "\(base)\(port)" : "\(base):\(port)"
    }

    /// Where the client's own proxy stands in a list of addresses: the rightmost one that is not a trusted proxy.
    private static func clientIndex(_ addresses: [SocketAddress?], _ isProxy: (SocketAddress) -> Bool) -> Int
    {
        addresses.lastIndex { address in address.map { !isProxy($0) } ?? true } ?? 0
    }

    // MARK: RFC 7239 §4

    /// `Forwarded: for=192.0.2.43;proto=https;host=example.com, for="[2001:db8::1]:4711"`
    private init(elementsOf fields: RequestFields, _ isProxy: (SocketAddress) -> Bool) {
        guard let value = fields[.forwarded], let elements = Self.elements(value), !elements.isEmpty else {
            return
        }
        let addresses = elements.map { $0["for"].flatMap { Self.address($0, allowsBareIPv6: false) } }
        let index = Self.clientIndex(addresses, isProxy)
        address = addresses[index]
        scheme = elements[index]["proto"].flatMap(Self.scheme)
        host = elements[index]["host"].flatMap(Self.host)
    }

    /// The parameters of each element. `nil` if any of them is malformed or says the same thing twice (RFC 7239 §4).
    private static func elements(_ value: String) -> [[String: String]]? {
        var scanner = FieldScanner(value)
        var elements: [[String: String]] = []
        repeat {
            guard let pairs = pairs(&scanner) else { return nil }
            // Lists may have empty elements (RFC 9110 §5.6.1).
            guard !pairs.isEmpty else { continue }
            var element: [String: String] = [:]
            for (name, value) in pairs where element.updateValue(value, forKey: name) != nil { return nil }
            elements.append(element)
        } while scanner.take(UInt8(ascii: ","))
        return scanner.isAtEnd ? elements : nil
    }

    private static func pairs(_ scanner: inout FieldScanner) -> [(name: String, value: String)]? {
        scanner.skipBlanks()
        guard let name = scanner.token() else { return scanner.parameters() }
        guard scanner.take(UInt8(ascii: "=")),
            let value = scanner.peek == UInt8(ascii: "\"") ? scanner.quotedString() : scanner.token(),
            let others = scanner.parameters()
        else { return nil }
        return [(name.lowercased(), value)] + others
    }

    // MARK: X-Forwarded

    /// `X-Forwarded-For: 192.0.2.43, 10.1.1.1` and its companions.
    ///
    /// Some proxies append to each of these lists, others replace all but the first. So as many values are believed,
    /// counted from the end, as there are trusted proxies in the chain; the first of them is the client's.
    private init(listsOf fields: RequestFields, _ isProxy: (SocketAddress) -> Bool) {
        let addresses = Self.items(fields[.xForwardedFor]).map { Self.address($0, allowsBareIPv6: true) }
        var proxies = 1
        if !addresses.isEmpty {
            let index = Self.clientIndex(addresses, isProxy)
            address = addresses[index]
            proxies = addresses.count - index
        }
        scheme = Self.items(fields[.xForwardedProto]).suffix(proxies).first.flatMap(Self.scheme)
        host = Self.items(fields[.xForwardedHost]).suffix(proxies).first.flatMap(Self.host)
        port = Self.items(fields[.xForwardedPort]).suffix(proxies).first.flatMap(Self.port)
        // Each proxy says what it has removed itself, the outermost first.
        let prefixes = Self.items(fields[.xForwardedPrefix]).suffix(proxies).map(Self.prefix)
        if prefixes.allSatisfy({ $0 != nil }) { prefix = prefixes.compactMap(\.self).joined() }
    }

    private static func items(_ value: String?) -> [String] {
        guard let value else { return [] }
        return value.utf8.split(separator: UInt8(ascii: ",")).compactMap { part in
            let item = part.drop(while: \.isBlank)
            guard let last = item.lastIndex(where: { !$0.isBlank }) else { return nil }
            return String(decoding: item[...last], as: UTF8.self)
        }
    }

    // MARK: Values

    /// An address with or without a port (RFC 7239 §6). `nil` for `unknown`, `_hidden` and whatever is malformed.
    private static func address(_ text: String, allowsBareIPv6: Bool) -> SocketAddress? {
        let node: Substring
        var rest: Substring = ""
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            node = text[text.index(after: text.startIndex)..<close]
            rest = text[text.index(after: close)...]
            guard node.contains(":") else { return nil }
        } else if let colon = text.firstIndex(of: ":") {
            if colon == text.lastIndex(of: ":") {
                node = text[..<colon]
                rest = text[colon...]
            } else {
                guard allowsBareIPv6 else { return nil }
                node = text[...]
            }
        } else {
            node = text[...]
        }
        guard rest.isEmpty || (rest.hasPrefix(":") && isNodePort(rest.dropFirst())) else { return nil }
        return try? SocketAddress(ipAddress: String(node), port: 0)
    }

    /// `node-port = port / obfport` (RFC 7239 §6).
    private static func isNodePort(_ text: Substring) -> Bool {
        if text.hasPrefix("_") {
            let name = text.utf8.dropFirst()
            return !name.isEmpty && name.allSatisfy { $0.isAlpha || $0.isDigit || "._-".utf8.contains($0) }
        }
        return port(String(text)) != nil
    }

    /// `1*5DIGIT`, from 1 to 65535.
    private static func port(_ text: String) -> Int? {
        guard text.utf8.allSatisfy(\.isDigit), text.utf8.count <= 5, let port = UInt16(text), port > 0 else {
            return nil
        }
        return Int(port)
    }

    /// Some proxies name the scheme of a socket.
    private static func scheme(_ text: String) -> String? {
        switch text.lowercased() {
        case "https", "wss": "https"
        case "http", "ws": "http"
        default: nil
        }
    }

    /// `uri-host [ ":" port ]`, as it stands in Host.
    private static func host(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        return Authority.isValid(bytes.span, 0..<bytes.count) ? text : nil
    }

    /// An absolute path without empty and dot segments: what stands in front of a path in Location must not become
    /// another host (`//evil.example`) or leave the prefix.
    private static func prefix(_ text: String) -> String? {
        var path = text[...]
        if path.hasSuffix("/") { path = path.dropLast() }
        guard !path.isEmpty else { return "" }
        guard path.hasPrefix("/") else { return nil }
        for segment in path.dropFirst().utf8.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        {
            guard let decoded = try? PercentCoding.decodeString(String(Substring(segment))), !decoded.isEmpty,
                decoded != ".",
                decoded != "..", segment.allSatisfy(isPathCharacter)
            else { return nil }
        }
        return String(path)
    }

    /// `pchar` (RFC 3986 §3.3), and the `%` of an escape.
    private static func isPathCharacter(_ byte: UInt8) -> Bool {
        byte.isAlpha || byte.isDigit || "-._~!$&'()*+,;=:@%".utf8.contains(byte)
    }
}

extension HTTPField.Name {
    fileprivate static let forwarded = HTTPField.Name("Forwarded") ?? .via
    fileprivate static let xForwardedFor = HTTPField.Name("X-Forwarded-For") ?? .via
    fileprivate static let xForwardedProto = HTTPField.Name("X-Forwarded-Proto") ?? .via
    fileprivate static let xForwardedHost = HTTPField.Name("X-Forwarded-Host") ?? .via
    fileprivate static let xForwardedPort = HTTPField.Name("X-Forwarded-Port") ?? .via
    fileprivate static let xForwardedPrefix = HTTPField.Name("X-Forwarded-Prefix") ?? .via
}
