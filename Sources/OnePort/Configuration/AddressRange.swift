public import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// An IP address, or all addresses that begin with the same bits: `10.0.0.0/8`, `fd00::/8`, `192.0.2.7`.
///
/// An IPv4 address and its form inside of IPv6 (`::ffff:192.0.2.7`, RFC 4291 §2.5.5.2) are the same.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// 16 octets, IPv4 in its IPv6 form, zero behind the prefix.
    private let octets: [UInt8]
    private let prefixLength: Int
    /// As it was written.
    public let description: String

    /// Reads `address` or `address/bits`; `nil` when it is neither.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Self.octets(of: String(first)) else { return nil }
        var length = 128
        if parts.count == 2 {
            let width = first.contains(":") ? 128 : 32
            guard parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let bits = Int(parts[1]),
                bits <= width
            else { return nil }
            length = bits + 128 - width
        }
        octets = Self.masked(address, to: length)
        prefixLength = length
        description = text
    }

    /// Whether the address lies in the range; an address of a Unix domain socket lies in none.
    public func contains(_ address: SocketAddress) -> Bool {
        guard let text = address.ipAddress else { return false }
        return contains(text)
    }

    /// Whether the address, written as text and without a port, lies in the range.
    public func contains(_ address: String) -> Bool {
        guard let other = Self.octets(of: address) else { return false }
        return Self.masked(other, to: prefixLength) == octets
    }

    private static func masked(_ octets: [UInt8], to length: Int) -> [UInt8] {
        octets.enumerated().map { index, octet in
            let kept = max(0, min(8, length - index * 8))
            return kept == 0 ? 0 : octet & (0xFF << UInt8(8 - kept))
        }
    }

    /// The 16 octets of an address; a zone (`fe80::1%eth0`) is left out.
    private static func octets(of text: String) -> [UInt8]? {
        let address = text.prefix { $0 != "%" }
        var four: [UInt8] = Array(repeating: 0, count: 4)
        if inet_pton(AF_INET, String(address), &four) == 1 {
            return Array(repeating: 0, count: 10) + [0xFF, 0xFF] + four
        }
        var sixteen: [UInt8] = Array(repeating: 0, count: 16)
        return inet_pton(AF_INET6, String(address), &sixteen) == 1 ? sixteen : nil
    }
}
