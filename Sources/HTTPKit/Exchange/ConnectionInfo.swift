package import NIOCore
import Synchronization

/// What all requests of one connection share.
package final class ConnectionInfo: Sendable {
    package let remoteAddress: SocketAddress?
    /// What the connection itself says about its client.
    let client: ClientKind
    /// What the handshake has settled; `nil` if the connection is not encrypted.
    package let session: SecureSession?
    package var isSecure: Bool { session != nil }
    /// Tells trusted proxies; `nil` if the fields of this peer do not count.
    let isProxy: (@Sendable (SocketAddress) -> Bool)?
    package let loop: LoopContext
    /// What holds for all connections of the server.
    package let policy: ServerPolicy
    private let closed = Atomic(false)
    private let ownNumber = Atomic<UInt64>(0)

    private static let lastNumber = Atomic<UInt64>(0)
    /// A number that no other connection of this process has. It is given when it is asked for first.
    package var number: UInt64 {
        let known = ownNumber.load(ordering: .relaxed)
        if known > 0 { return known }
        let made = Self.lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let (isFirst, original) = ownNumber.compareExchange(expected: 0, desired: made, ordering: .relaxed)
        return isFirst ? made : original
    }

    /// Whether the connection was closed while it spoke HTTP.
    package var isClosed: Bool {
        get { closed.load(ordering: .relaxed) }
        set { closed.store(newValue, ordering: .relaxed) }
    }

    package init(
        remoteAddress: SocketAddress?, client: ClientKind = .peer, session: SecureSession? = nil,
        loop: LoopContext, policy: ServerPolicy
    ) {
        self.remoteAddress = remoteAddress
        self.session = session
        self.client = client
        let isTrusted = client == .peer && remoteAddress.flatMap { policy.isProxy?($0) } == true
        isProxy = isTrusted ? policy.isProxy : nil
        self.loop = loop
        self.policy = policy
    }
}

/// Who the client of a connection is.
package enum ClientKind {
    /// The client is the peer or, if the peer is a trusted proxy, whom its Forwarded headers name.
    case peer
    /// A trusted proxy is the client itself. Forwarded headers do not count.
    case proxy
    /// A trusted proxy forwards for somebody that it does not name. Forwarded headers do not count, since the client may
    /// have written them.
    case unknown
}
