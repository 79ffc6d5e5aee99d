package import NIOCore

/// Encrypts the connections of a client, such as TLS.
package protocol ClientSecurity: Sendable {
    /// Prepares what takes time, such as reading the certificates of authorities. It is called before each attempt.
    func prepare() async throws

    /// Adds the handlers that encrypt at the front of a connected channel's pipeline, on its event loop.
    ///
    /// - Parameters:
    ///   - host: The host that the server must be.
    ///   - isDirect: Whether the channel's peer is the server, and not a proxy.
    ///   - complete: To be called once, on the event loop: with `nil` when the handshake is complete, or with its failure.
    func secure(
        _ channel: any Channel, host: String, isDirect: Bool, complete: @escaping (SecurityFailure?) -> Void
    ) throws
}

/// Why a handshake has failed.
package enum SecurityFailure {
    /// The server is not accepted. The error says all, and is passed on as it is.
    case identity(any Error)
    /// Something else went wrong, which may go away.
    case other(any Error)
}
