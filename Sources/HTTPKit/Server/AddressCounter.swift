import HTTPTypes
package import NIOCore
import Synchronization

/// What counts as one client: an IPv4 address, or the first 64 bits of an IPv6 address. The other 64 are the client's
/// own to choose (RFC 4291 §2.5.1, RFC 8981), so each machine has as many addresses as it likes.
package struct ClientNetwork: Hashable, Sendable {
    private enum Prefix: Hashable, Sendable {
        case v4(UInt32)
        case v6(UInt64)
    }

    private let prefix: Prefix

    /// The client behind an address; `nil` for a Unix domain socket.
    package init?(_ address: SocketAddress) {
        switch address {
        case .v4(let address):
            // sockaddr_in: the address stands behind family and port.
            prefix = .v4(UInt32(Self.number(withUnsafeBytes(of: address.address, Array.init)[4..<8])))
        case .v6(let address):
            // sockaddr_in6: the address stands behind family, port and flow.
            let octets = withUnsafeBytes(of: address.address, Array.init)
            let (high, low) = (Self.number(octets[8..<16]), Self.number(octets[16..<24]))
            // An IPv4 address on a socket of IPv6 (RFC 4291 §2.5.5.2).
            let isMapped = high == 0 && low >> 32 == 0xFFFF
            prefix = isMapped ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high)
        case .unixDomainSocket: return nil
        }
    }

    /// Whether it is this machine itself (RFC 1122 §3.2.1.3, RFC 4291 §2.5.3).
    package var isLoopback: Bool {
        switch prefix {
        case .v4(let address): address >> 24 == 127
        case .v6(let high): high == 0
        }
    }

    private static func number(_ octets: ArraySlice<UInt8>) -> UInt64 {
        octets.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// How many connections each client has: to a server, or to the WebSocket endpoints that share their options.
package final class AddressCounter: Sendable {
    private let counts = Mutex<[ClientNetwork: Int]>([:])

    package init() {}

    /// Counts a socket in.
    ///
    /// - Throws: `HTTPFailure` (429) when the address has `limit` sockets already.
    package func admit(_ address: SocketAddress?, limit: Int?) throws -> Place? {
        guard let limit, let client = address.flatMap(ClientNetwork.init) else { return nil }
        guard countIn(client, limit: limit) else {
            throw HTTPFailure(.tooManyRequests, "this address has \(limit) sockets open already")
        }
        return Place(counter: self, client: client)
    }

    /// Counts a connection in, to be counted out by `countOut`; `false` when the client has `limit` already.
    package func countIn(_ client: ClientNetwork, limit: Int) -> Bool {
        counts.withLock { counts in
            guard counts[client, default: 0] < limit else { return false }
            counts[client, default: 0] += 1
            return true
        }
    }

    /// One socket that was counted in. It is counted out once: by `release`, or when nobody holds the place any
    /// more, as when a middleware has put another answer in the place of the upgrade.
    package final class Place: Sendable {
        private let counter: AddressCounter
        private let client: ClientNetwork
        private let isReleased = Atomic(false)

        fileprivate init(counter: AddressCounter, client: ClientNetwork) {
            self.counter = counter
            self.client = client
        }

        deinit { release() }

        package func release() {
            if !isReleased.exchange(true, ordering: .relaxed) { counter.countOut(client) }
        }
    }

    /// Counts a connection out that was counted in.
    package func countOut(_ client: ClientNetwork) {
        counts.withLock { counts in
            let left = counts[client, default: 0] - 1
            counts[client] = left > 0 ? left : nil
        }
    }
}
