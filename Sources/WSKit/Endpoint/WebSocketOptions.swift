import HTTPKit
import NIOCore

/// The options of a WebSocket endpoint: what it negotiates in the handshake, and its limits.
public struct WebSocketOptions: Sendable {
    /// The subprotocols that the endpoint supports, in order of preference (RFC 6455 §1.9). A client that offers none of
    /// them is accepted without a subprotocol.
    public var subprotocols: [String] = []
    /// Which web pages may connect (RFC 6455 §10.2). By default only pages from the same host.
    public var origin: OriginPolicy = .sameHost
    /// How messages are compressed (RFC 7692).
    public var deflate: DeflateMode = .shared
    /// The limits for each socket.
    public var limits: WSLimits {
        get { sharedLimits.value }
        set { sharedLimits = SharedLimits(newValue) }
    }
    /// The maximum number of open sockets per client address, at all endpoints that share these options or copies of them.
    /// Above it the handshake is rejected with 429. `nil` disables the limit.
    ///
    /// The default is 1,024. With the default, loopback addresses are not counted, because a proxy may run on this machine.
    /// They are counted once a limit is set.
    ///
    /// IPv6 addresses with the same first 64 bits count as one, because a machine can use any address of such a network
    /// (RFC 4291 §2.5.1). IPv4-mapped IPv6 addresses count as IPv4 addresses. Behind a proxy all clients have the proxy's
    /// address, unless the proxy is trusted and forwards the client's address.
    public var maxSocketsPerAddress: Int? {
        get { addressLimit.limit }
        set { addressLimit = (newValue, countsLoopback: true) }
    }
    private var addressLimit: (limit: Int?, countsLoopback: Bool) = (1024, false)
    /// Whether messages are delivered in parts as they arrive, through `WebSocket.parts`. This allows messages of any size
    /// with constant memory. It applies to sockets served by a closure; callbacks always get whole messages.
    public var deliversParts = false

    /// The limits, stored once for all sockets.
    private(set) var sharedLimits = SharedLimits(WSLimits())
    /// Counts the sockets of each address. Copies of the options share it.
    let addresses = AddressCounter()

    /// Counts a new socket.
    ///
    /// - Throws: `HTTPFailure` (429) if the address already has the maximum number of sockets.
    func admit(_ address: SocketAddress?) throws -> AddressCounter.Place? {
        let isLoopback = address.flatMap(ClientNetwork.init)?.isLoopback ?? false
        if isLoopback, !addressLimit.countsLoopback { return nil }
        return try addresses.admit(address, limit: maxSocketsPerAddress)
    }

    /// The default options.
    public init() {}

    /// The default options, modified by `configure`.
    public init(_ configure: (inout WebSocketOptions) -> Void) {
        self.init()
        configure(&self)
    }
}
