import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A listener whose address is bound: it accepts connections.
struct BoundListener: Sendable {
    let channel: any Channel
    /// Whether its connections speak TLS.
    let usesTLS: Bool
    /// The file of a Unix domain socket that this process has made.
    private let file: UnixSocketFile?

    init(_ listener: HTTPListener, channel: any Channel, file: UnixSocketFile? = nil) {
        self.channel = channel
        usesTLS = listener.usesTLS
        self.file = file
    }

    /// The address that is listened on.
    var address: SocketAddress? { channel.localAddress }

    /// Stops listening, and removes the file.
    func close() async {
        if let file {
            // While this process still listens, nobody puts another file in its place.
            try? await NIOThreadPool.singleton.runIfActive { file.remove() }
        }
        try? await channel.close()
    }
}

/// Binds the addresses of a server.
struct ListenerBinder: Sendable {
    /// Makes the bootstrap of a listener: its event loops, its options, what becomes of its connections.
    let bootstrap: @Sendable (HTTPListener) -> ServerBootstrap
    /// Connections that the kernel holds until they are accepted.
    let backlog: CInt

    /// Binds all of `listeners`, or none.
    func bind(_ listeners: [HTTPListener]) async throws(BindError) -> [BoundListener] {
        var bound: [BoundListener] = []
        for listener in listeners {
            do {
                bound += try await bind(listener)
            } catch {
                for other in bound { await other.close() }
                throw BindError(address: listener.address, underlying: error)
            }
        }
        return bound
    }

    private func bind(_ listener: HTTPListener) async throws -> [BoundListener] {
        switch listener.address {
        case .hostname(let host, let port):
            let candidates =
                if let known = HostLookup.knownAddresses(host, port: port) { known } else {
                    try await NIOThreadPool.singleton.runIfActive { try HostLookup.lookUp(host, port: port) }
                }
            return try await bind(listener, to: candidates, port: port)
        case .unix(let path, let mode):
            let (descriptor, file) = try await NIOThreadPool.singleton.runIfActive { [backlog] in
                try UnixSocketFile.listen(at: path, mode: mode, backlog: backlog)
            }
            do {
                return [
                    BoundListener(
                        listener, channel: try await takeOver(descriptor, for: listener), file: file)
                ]
            } catch {
                try? await NIOThreadPool.singleton.runIfActive { file.remove() }
                throw error
            }
        case .inherited(let descriptor):
            try PassedSocket.check(descriptor)
            return [BoundListener(listener, channel: try await takeOver(descriptor, for: listener))]
        }
    }

    private func takeOver(_ descriptor: CInt, for listener: HTTPListener) async throws -> any Channel {
        let channel = try await bootstrap(listener).withBoundSocket(descriptor).get()
        // The transport has set its own, which is small.
        PassedSocket.setBacklog(backlog, of: descriptor)
        return channel
    }

    /// How often a free port is looked for that all addresses have.
    private static let freePortAttempts = 16

    /// Listens on all of the addresses that this machine has, on the same port.
    func bind(
        _ listener: HTTPListener, to candidates: [SocketAddress], port: Int
    ) async throws -> [BoundListener] {
        var attempt = 1
        while true {
            do {
                return try await bindAll(candidates, for: listener, port: port)
            } catch let error as IOError
                where error.errnoCode == EADDRINUSE && port == 0 && attempt < Self.freePortAttempts
            {
                // The port that was free at the first address is taken at another one.
                attempt += 1
            }
        }
    }

    private func bindAll(
        _ candidates: [SocketAddress], for listener: HTTPListener, port: Int
    ) async throws -> [BoundListener] {
        let bootstrap = bootstrap(listener)
        var listeners: [BoundListener] = []
        var missing: (any Error)?
        do {
            for var candidate in candidates {
                candidate.port = listeners.first?.address?.port ?? port
                do {
                    let channel = try await bootstrap.bind(to: candidate).get()
                    listeners.append(BoundListener(listener, channel: channel))
                } catch let error as IOError where Self.isOfMissingAddress(error) {
                    missing = missing ?? error
                }
            }
            if listeners.isEmpty { throw missing ?? ChannelError.unknownLocalAddress }
            return listeners
        } catch {
            for listener in listeners { await listener.close() }
            throw error
        }
    }

    /// Whether the machine does not have an address, or no IPv6 at all.
    private static func isOfMissingAddress(_ error: IOError) -> Bool {
        [EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT].contains(error.errnoCode)
    }
}
