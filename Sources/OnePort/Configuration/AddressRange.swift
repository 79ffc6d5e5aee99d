public import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IP address, or all addresses with the same prefix: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`; or `unix`, all peers that
/// connect over a Unix domain socket.
///
/// An IPv4 address and the IPv4-mapped IPv6 address (`::ffff:192.0.2.7`, RFC 4291 §2.5.5.2) are the same.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// 16 bytes, with IPv4 as IPv4-mapped IPv6. The bits after the prefix are zero. None for `unix`.
    private let bytes: [UInt8]
    private let prefixLength: Int
    /// The range as it was written.
    public let description: String

    /// Parses `address`, `address/bits` or `unix`. Returns `nil` if the text is none of them.
    public init?(_ text: String) {
        if text == "unix" {
            bytes = []
            prefixLength = 0
            description = text
            return
        }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Self.bytes(of: String(first)) else { return nil }
        var length = 128
        if parts.count == 2 {
            let width = first.contains(":") ? 128 : 32
            guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let bits = Int(parts[1]),
                bits <= width
            else { return nil }
            length = bits + 128 - width
        }
        bytes = Self.masked(address, to: length)
        prefixLength = length
        description = text
    }

    /// Whether the address is in the range. The address of a Unix domain socket is in `unix` only.
    public func contains(_ address: SocketAddress) -> Bool {
        if case .unixDomainSocket = address { return bytes.isEmpty }
        guard let text = address.ipAddress else { return false }
        return contains(text)
    }

    /// Whether the address, as text without a port, is in the range.
    public func contains(_ address: String) -> Bool {
        guard !bytes.isEmpty, let other = Self.bytes(of: address) else { return false }
        return Self.masked(other, to: prefixLength) == bytes
    }

    private static func masked(_ bytes: [UInt8], to length: Int) -> [UInt8] {
        bytes.enumerated().map { index, byte in
            let kept = max(0, min(8, length - index * 8))
            return kept == 0 ? 0 : byte & (0xFF << UInt8(8 - kept))
        }
    }

    /// The 16 bytes of an address. A zone (`fe80::1%eth0`) is ignored.
    private static func bytes(of text: String) -> [UInt8]? {
        let address = text.prefix { $0 != "%" }
        var four: [UInt8] = Array(repeating: 0, count: 4)
        if inet_pton(AF_INET, String(address), &four) == 1 {
            return Array(repeating: 0, count: 10) + [0xFF, 0xFF] + four
        }
        var sixteen: [UInt8] = Array(repeating: 0, count: 16)
        return inet_pton(AF_INET6, String(address), &sixteen) == 1 ? sixteen : nil
    }
}
