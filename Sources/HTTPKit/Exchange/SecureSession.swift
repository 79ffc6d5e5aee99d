/// What the handshake of an encrypted connection has settled.
package final class SecureSession: Sendable {
    /// The protocol that was chosen (ALPN); `nil` if the client has named none that the server speaks.
    package let applicationProtocol: String?
    /// What the security tells handlers of the client, such as its certificate.
    package let peer: (any Sendable)?

    package init(applicationProtocol: String? = nil, peer: (any Sendable)? = nil) {
        self.applicationProtocol = applicationProtocol
        self.peer = peer
    }
}
