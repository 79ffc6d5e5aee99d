import HTTPKit
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

    private static func number(_ octets: ArraySlice<UInt8>) -> UInt64 {
        octets.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// How many sockets each client has open at the endpoints that share these options.
final class AddressCounter: Sendable {
    private let counts = Mutex<[ClientNetwork: Int]>([:])

    /// Counts a socket in.
    ///
    /// - Throws: `HTTPFailure` (429) when the address has `limit` sockets already.
    func admit(_ address: SocketAddress?, limit: Int?) throws -> Place? {
        guard let limit, let client = address.flatMap(ClientNetwork.init) else { return nil }
        let isAdmitted = counts.withLock { counts in
            guard counts[client, default: 0] < limit else { return false }
            counts[client, default: 0] += 1
            return true
        }
        guard isAdmitted else {
            throw HTTPFailure(.tooManyRequests, "this address has \(limit) sockets open already")
        }
        return Place(counter: self, client: client)
    }

    /// One socket that was counted in. It is counted out once: by `release`, or when nobody holds the place any
    /// more, as when a middleware has put another answer in the place of the upgrade.
    final class Place: Sendable {
        private let counter: AddressCounter
        private let client: ClientNetwork
        private let isReleased = Atomic(false)

        fileprivate init(counter: AddressCounter, client: ClientNetwork) {
            self.counter = counter
            self.client = client
        }

        deinit { release() }

        func release() {
            if !isReleased.exchange(true, ordering: .relaxed) { counter.countOut(client) }
        }
    }

    private func countOut(_ client: ClientNetwork) {
        counts.withLock { counts in
            let left = counts[client, default: 0] - 1
            counts[client] = left > 0 ? left : nil
        }
    }
}
