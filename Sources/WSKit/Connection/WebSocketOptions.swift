import HTTPKit
import NIOCore

/// How an endpoint's sockets are: what is agreed on in the handshake, and what peers are held to.
public struct WebSocketOptions: Sendable {
    /// The subprotocols that the endpoint speaks, the preferred first (RFC 6455 §1.9). A client that asks for none
    /// of them is served without one.
    public var subprotocols: [String] = []
    /// Which pages may connect (RFC 6455 §10.2): by default those of the host that is asked.
    public var origin: OriginPolicy = .sameHost
    /// How messages are compressed (RFC 7692).
    public var deflate: DeflateMode = .shared
    /// What peers are held to.
    public var limits: WSLimits {
        get { sharedLimits.value }
        set { sharedLimits = SharedLimits(newValue) }
    }
    /// How many sockets one address may have open at the endpoints that share these options, or copies of them;
    /// over it the handshake is answered 429. `nil` is no bound. By default it is 1,024, and loopback addresses, behind
    /// which a proxy of this machine may be, do not count; they do once a bound is set.
    ///
    /// IPv6 addresses count together where their first 64 bits are the same, since a machine has all addresses of
    /// such a network (RFC 4291 §2.5.1); IPv4 addresses inside of IPv6 count as the IPv4 addresses that they are.
    /// Behind a proxy all clients have the proxy's address, unless it is one of the trusted and tells theirs.
    public var maxSocketsPerAddress: Int? {
        get { addressBound.limit }
        set { addressBound = (newValue, countsLoopback: true) }
    }
    private var addressBound: (limit: Int?, countsLoopback: Bool) = (1024, false)
    /// Gives messages in the parts they arrive in, through `WebSocket.parts`: for messages of any size through
    /// constant memory. It is for sockets served by a closure; callbacks get whole messages.
    public var deliversParts = false

    /// The limits, held once for all sockets.
    private(set) var sharedLimits = SharedLimits(WSLimits())
    /// Counts the sockets of each address; copies share it.
    let addresses = AddressCounter()

    /// Counts a socket in.
    ///
    /// - Throws: `HTTPFailure` (429) when the address has too many already.
    func admit(_ address: SocketAddress?) throws -> AddressCounter.Place? {
        let isLoopback = address.flatMap(ClientNetwork.init)?.isLoopback ?? false
        if isLoopback, !addressBound.countsLoopback { return nil }
        return try addresses.admit(address, limit: maxSocketsPerAddress)
    }

    /// The defaults.
    public init() {}

    /// The defaults, changed by `configure`.
    public init(_ configure: (inout WebSocketOptions) -> Void) {
        self.init()
        configure(&self)
    }
}
