import Logging
package import NIOCore

/// How a connection begins: PROXY header, handshake, HTTP.
extension HTTPServer {
    /// Puts the first handler on a channel that a listener has accepted, on its event loop.
    func accept(_ channel: any Channel, _ listener: HTTPListener) throws {
        switch listener.proxyProtocol {
        case .off: try serve(channel, usesTLS: listener.usesTLS)
        case .required: try serveBehindHeader(channel, usesTLS: listener.usesTLS)
        }
    }

    /// Serves a new channel, on its event loop.
    package func serve(_ channel: any Channel, usesTLS: Bool) throws {
        let loop = try loop(of: channel)
        let admission = context.connectionOpened(from: channel.remoteAddress)
        loop.connectionOpened()
        channel.closeFuture.whenComplete { [context] _ in
            loop.connectionClosed()
            context.connectionClosed(admission)
        }
        try begin(
            ArrivedConnection(loop: loop, refusal: admission.refusal), usesTLS: usesTLS, on: channel)
    }

    /// Has a new channel wait for its PROXY header, which stands before everything else.
    private func serveBehindHeader(_ channel: any Channel, usesTLS: Bool) throws {
        let loop = try loop(of: channel)
        let isTrusted = channel.remoteAddress.flatMap { context.policy.isProxy?($0) } == true
        let handler = ProxyHeaderHandler(
            server: context, loop: loop, isTrusted: isTrusted,
            begin: { try self.begin($1, usesTLS: usesTLS, on: $0) })
        loop.connectionOpened()
        channel.closeFuture.assumeIsolated().whenComplete { [context] _ in
            loop.connectionClosed()
            context.connectionClosed(handler.admission)
        }
        try channel.pipeline.syncOperations.addHandler(handler)
    }

    /// Begins with the handshake, or with HTTP where there is none.
    private func begin(_ new: ArrivedConnection, usesTLS: Bool, on channel: any Channel) throws {
        guard usesTLS, let security else { return try begin(new, session: nil, of: context, on: channel) }
        guard context.handshakeBegins() else {
            context.clientLog.log("connection refused", to: context.logger, on: new.loop) {
                ["reason": "too many unfinished handshakes"]
            }
            return try channel.pipeline.syncOperations.addHandler(ConnectionRefusal())
        }
        let handshake = Handshake(on: channel, of: context, loop: new.loop)
        do {
            try security.secure(channel, applicationProtocols: applicationProtocols) { result in
                guard handshake.complete() else { return }
                do {
                    switch result {
                    case .secure(let session):
                        try self.begin(new, session: session, of: self.context, on: channel)
                    case .plain:
                        try self.begin(new, session: nil, of: self.plainContext ?? self.context, on: channel)
                    }
                } catch {
                    self.context.logger.debug("connection failed", metadata: ["error": .clean(error)])
                    channel.abort()
                }
            }
        } catch {
            _ = handshake.complete()
            throw error
        }
    }

    /// Puts the handler of the chosen protocol on a channel.
    private func begin(
        _ new: ArrivedConnection, session: SecureSession?, of server: ServerContext, on channel: any Channel
    ) throws {
        let chosen = session?.applicationProtocol.flatMap { name in
            server.protocols.first { $0.name == name }
        }
        if let chosen {
            let info = new.client.map {
                ConnectionInfo(
                    remoteAddress: $0.address, client: $0.kind, session: session, loop: new.loop,
                    policy: server.policy)
            }
            let connection = NewConnection(
                server: server, loop: new.loop, session: session, refusal: new.refusal?.error, info: info,
                unread: ByteBuffer())
            return try channel.pipeline.syncOperations.addHandler(chosen.makeHandler(for: connection))
        }
        let connection = HTTPConnection(
            server: server, loop: new.loop, refusal: new.refusal, session: session)
        if let deadline = new.deadline, session == nil { connection.deadline = deadline }
        try channel.pipeline.syncOperations.addHandler(connection)
        if let client = new.client { connection.describeClient(client.address, client.kind) }
        // The channel has said so already, so the handler would not hear of it.
        if channel.isActive { connection.channelIsActive() }
    }
}
