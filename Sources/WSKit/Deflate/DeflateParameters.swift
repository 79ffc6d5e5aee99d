/// The negotiated parameters of permessage-deflate (RFC 7692 §7.1).
package struct DeflateParameters: Sendable, Hashable {
    /// Each of the server's messages starts with an empty history (§7.1.1.1).
    package var serverNoContextTakeover = false
    /// Each of the client's messages starts with an empty history (§7.1.1.2).
    package var clientNoContextTakeover = false
    /// The base-two logarithm of the server's window, 8 to 15 (§7.1.2.1).
    package var serverMaxWindowBits = 15
    /// The base-two logarithm of the client's window, 8 to 15 (§7.1.2.2).
    package var clientMaxWindowBits = 15

    /// Creates parameters.
    package init(
        serverNoContextTakeover: Bool = false, clientNoContextTakeover: Bool = false,
        serverMaxWindowBits: Int = 15, clientMaxWindowBits: Int = 15
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        self.serverMaxWindowBits = serverMaxWindowBits
        self.clientMaxWindowBits = clientMaxWindowBits
    }

    /// The window of the messages that `role` sends, and whether they keep their history.
    package func direction(from role: Role) -> (windowBits: Int, takesContextOver: Bool) {
        switch role {
        case .server: (serverMaxWindowBits, !serverNoContextTakeover)
        case .client: (clientMaxWindowBits, !clientNoContextTakeover)
        }
    }
}
