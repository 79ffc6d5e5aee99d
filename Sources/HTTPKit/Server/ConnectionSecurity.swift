package import NIOCore

/// Encrypts the connections of a server, such as TLS.
///
/// The server counts handshakes and bounds their time (`HTTPLimits.handshakeTimeout`, `maxUnfinishedHandshakes`). Its own
/// handler is added to a channel only when the handshake is complete, so no request is read before.
package protocol ConnectionSecurity: Sendable {
    /// Responds to requests that clients send without encryption.
    var plainHandler: Handler { get }

    /// Adds the handlers that encrypt to a new channel, on its event loop. Behind a PROXY header the channel is active
    /// already.
    ///
    /// A handler that holds back what ends a connection in order, such as TLS with its close_notify, lets it end at once
    /// on the outbound event `ConnectionAbort`.
    ///
    /// - Parameters:
    ///   - applicationProtocols: The protocols that the server speaks, the preferred first (ALPN, RFC 7301).
    ///   - begin: To be called once, on the event loop, when the handshake is complete and before any byte of the
    ///     application is passed on. It adds the server's handler at the end of the pipeline. If the handshake fails,
    ///     it is not called, and the security closes the channel.
    func secure(
        _ channel: any Channel, applicationProtocols: [String], begin: @escaping (HandshakeResult) -> Void
    ) throws
}

/// What a handshake has come to.
package enum HandshakeResult {
    /// The connection is encrypted.
    case secure(SecureSession)
    /// The client does not encrypt. Its first request gets the response of `ConnectionSecurity.plainHandler`, and the
    /// connection closes behind it.
    case plain
}

/// A connection that is about to begin.
struct ArrivedConnection {
    let loop: LoopContext
    /// Why the connection gets an error and is closed, if it does.
    let refusal: Admission.Refusal?
    /// Who the client is, if a PROXY header has said so.
    var client: (address: SocketAddress?, kind: ClientKind)?
    /// By when the first byte of a request must have come, if the time has begun already.
    var deadline: LoopInstant?
}
