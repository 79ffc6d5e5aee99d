/// What both ends agreed on for permessage-deflate (RFC 7692 §7.1).
package struct DeflateParameters: Sendable, Hashable {
    /// The server's messages each start with an empty history (§7.1.1.1).
    package var serverNoContextTakeover = false
    /// The client's messages each start with an empty history (§7.1.1.2).
    package var clientNoContextTakeover = false
    /// The logarithm of the server's window, 8 to 15 (§7.1.2.1).
    package var serverMaxWindowBits = 15
    /// The logarithm of the client's window, 8 to 15 (§7.1.2.2).
    package var clientMaxWindowBits = 15

    /// Parameters of those values.
    package init(
        serverNoContextTakeover: Bool = false, clientNoContextTakeover: Bool = false,
        serverMaxWindowBits: Int = 15, clientMaxWindowBits: Int = 15
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        self.serverMaxWindowBits = serverMaxWindowBits
        self.clientMaxWindowBits = clientMaxWindowBits
    }

    /// The window and the history of what `role` sends.
    package func direction(from role: Role) -> (windowBits: Int, takesContextOver: Bool) {
        switch role {
        case .server: (serverMaxWindowBits, !serverNoContextTakeover)
        case .client: (clientMaxWindowBits, !clientNoContextTakeover)
        }
    }
}
