import HTTPTypes
import NIOCore

/// What trusted proxies say of the client they speak for (RFC 7239, and the X-Forwarded fields of before).
///
/// Each proxy appends the peer that it was asked by. So the list is read from its end, as long as those named are trusted
/// proxies themselves: the last that is none is the client, and whatever stands before it may be invented.
struct Forwarded {
    /// The client's address, with port 0; `nil` when it is not told, or hidden (RFC 7239 §6.2, §6.3).
    let address: SocketAddress?
    /// `http` or `https`; `nil` when it is not told.
    let scheme: String?

    /// One proxy's peer.
    private struct Hop {
        var address: SocketAddress?
        var scheme: String?
    }

    /// Reads the fields of a request that came from a trusted proxy.
    ///
    /// A proxy that writes one kind of field may let a client's own of the other kind pass: where the two disagree,
    /// neither is believed.
    init(_ fields: RequestFields, isProxy: (SocketAddress) -> Bool) {
        let told = [Self.elements(fields), Self.lists(fields)].compactMap { Self.client($0, isProxy) }
        address = Self.agreed(told.compactMap(\.address))
        scheme = Self.agreed(told.compactMap(\.scheme))
    }

    private static func agreed<Value: Equatable>(_ values: [Value]) -> Value? {
        values.allSatisfy { $0 == values.first } ? values.first : nil
    }

    private static func client(_ hops: [Hop], _ isProxy: (SocketAddress) -> Bool) -> Hop? {
        hops.last { hop in hop.address.map { !isProxy($0) } ?? true } ?? hops.first
    }

    // MARK: RFC 7239 §4

    /// `Forwarded: for=192.0.2.43;proto=https, for="[2001:db8::1]:4711"`. One that is malformed says nothing.
    private static func elements(_ fields: RequestFields) -> [Hop] {
        guard let value = fields[.forwarded] else { return [] }
        var scanner = FieldScanner(value)
        var hops: [Hop] = []
        repeat {
            guard let pairs = pairs(&scanner) else { return [] }
            // Lists may have empty elements (RFC 9110 §5.6.1).
            guard !pairs.isEmpty else { continue }
            var hop = Hop()
            for (name, value) in pairs {
                if name == "for" { hop.address = address(value) }
                if name == "proto" { hop.scheme = scheme(value) }
            }
            hops.append(hop)
        } while scanner.take(UInt8(ascii: ","))
        return scanner.isAtEnd ? hops : []
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

    // MARK: The fields of before

    /// `X-Forwarded-For: 192.0.2.43, 2001:db8::1` and `X-Forwarded-Proto: https`, side by side from their ends; what
    /// the first proxy says of the scheme is often passed on as it is.
    private static func lists(_ fields: RequestFields) -> [Hop] {
        let (addresses, schemes) = (items(fields[.xForwardedFor]), items(fields[.xForwardedProto]))
        guard !addresses.isEmpty || !schemes.isEmpty else { return [] }
        let count = max(1, addresses.count)
        return (0..<count).map { index in
            let place = max(0, schemes.count - count + index)
            return Hop(
                address: addresses.isEmpty ? nil : address(addresses[index]),
                scheme: schemes.isEmpty ? nil : scheme(schemes[place]))
        }
    }

    private static func items(_ value: String?) -> [String] {
        var scanner = FieldScanner(value ?? "")
        var items: [String] = []
        while !scanner.isAtEnd {
            scanner.skipBlanks()
            let item = scanner.run { $0 != UInt8(ascii: ",") && !$0.isBlank }
            if !item.isEmpty { items.append(item) }
            scanner.skipElement()
        }
        return items
    }

    // MARK: Values

    /// An address with or without a port (RFC 7239 §6); `nil` for `unknown` and `_hidden`.
    private static func address(_ text: String) -> SocketAddress? {
        var node = text[...]
        if node.first == "[" {
            node = node.dropFirst().prefix { $0 != "]" }
        } else if let colon = node.firstIndex(of: ":"), colon == node.lastIndex(of: ":") {
            node = node[..<colon]
        }
        return try? SocketAddress(ipAddress: String(node), port: 0)
    }

    /// Some proxies name the scheme of a socket.
    private static func scheme(_ text: String) -> String? {
        switch text.lowercased() {
        case "https", "wss": "https"
        case "http", "ws": "http"
        default: nil
        }
    }
}

extension HTTPField.Name {
    fileprivate static let forwarded = HTTPField.Name("Forwarded") ?? .via
    fileprivate static let xForwardedFor = HTTPField.Name("X-Forwarded-For") ?? .via
    fileprivate static let xForwardedProto = HTTPField.Name("X-Forwarded-Proto") ?? .via
}
