package import NIOCore

/// A protocol that a connection may speak instead of HTTP/1.1.
package protocol ConnectionProtocol: Sendable {
    /// Its name in ALPN (RFC 7301), such as `h2`.
    var name: String { get }

    /// Whether a connection that begins with `input` speaks it, where TLS has not agreed on a protocol.
    func isSpoken(in input: ByteBuffer) -> Bool

    /// The handler that serves a connection.
    func makeHandler(for connection: NewConnection) -> any ChannelHandler & Sendable
}

/// A connection whose protocol has just been found out.
package struct NewConnection {
    package let server: ServerContext
    package let loop: LoopContext
    /// What the handshake has settled; `nil` if the connection is not encrypted.
    package let session: SecureSession?
    /// Why it is not served, if it is not.
    package let refusal: (any ResponseError)?
    /// What is known of the client; `nil` where that is the peer of the channel.
    package let info: ConnectionInfo?
    /// What has been read so far.
    package let unread: ByteBuffer
}

extension HTTPConnection {
    /// The protocol that this connection speaks, as its first bytes show.
    func otherProtocol() -> (any ConnectionProtocol)? {
        server.protocols.first { $0.isSpoken(in: input.buffer) }
    }

    /// Hands the connection over to another protocol, with what has been read.
    func change(to other: any ConnectionProtocol) {
        guard let channel = transport.channel else { return }
        let connection = NewConnection(
            server: server, loop: loop, session: session, refusal: nil, info: info, unread: input.buffer)
        input.buffer = ByteBuffer()
        phase = .closed
        let pipeline = channel.pipeline.syncOperations
        pipeline.removeHandler(self, promise: nil)
        do {
            try pipeline.addHandler(other.makeHandler(for: connection))
            channel.read()
        } catch {
            channel.close(promise: nil)
        }
    }
}
