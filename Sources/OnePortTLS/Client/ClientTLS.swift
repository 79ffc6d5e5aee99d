import HTTPKit
import NIOCore
import NIOPosix
import NIOSSL
public import OnePort
import Synchronization
public import WSKit

/// How a client speaks TLS: whom it trusts, and who it is. It makes `wss://` addresses work.
///
/// ```swift
/// try await WebSocketClient.withConnection(to: "wss://example.com/live", .init { $0.tls = ClientTLS() }) { socket in
///     try await socket.send("hello")
/// }
/// ```
///
/// Files are read at the first connection. To have them read again, make a new value.
public struct ClientTLS: Sendable {
    /// Whom a client trusts.
    public enum Trust: Sendable, Hashable {
        /// The certificate authorities of the system.
        case system
        /// The certificate authorities in a PEM file, and no others.
        case authorities(file: String)
        /// The certificate authorities of the system, and those in a PEM file.
        case systemAnd(file: String)
    }

    private let storage: Storage

    /// How a client speaks TLS.
    ///
    /// - Parameters:
    ///   - trust: Whom the client trusts.
    ///   - certificate: The client's own certificate, for servers that ask for one.
    ///   - minVersion: The lowest version of TLS.
    public init(
        trust: Trust = .system, certificate: TLSSettings.Files? = nil,
        minVersion: TLSSettings.Version = .tls12
    ) {
        storage = Storage(trust: trust, certificate: certificate, minVersion: minVersion)
    }

    /// The settings, and the context that is made of them once.
    private final class Storage: Sendable {
        let trust: Trust
        let certificate: TLSSettings.Files?
        let minVersion: TLSSettings.Version
        let context = Mutex<NIOSSLContext?>(nil)

        init(trust: Trust, certificate: TLSSettings.Files?, minVersion: TLSSettings.Version) {
            self.trust = trust
            self.certificate = certificate
            self.minVersion = minVersion
        }

        /// Reads the files. It may block.
        func makeContext() throws -> NIOSSLContext {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.minimumTLSVersion = minVersion == .tls13 ? .tlsv13 : .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            configuration.shutdownTimeout = .seconds(1)
            switch trust {
            case .system: break
            case .authorities(let file):
                configuration.trustRoots = .certificates(try KeyPair.certificates(in: file))
            case .systemAnd(let file):
                configuration.additionalTrustRoots = [.certificates(try KeyPair.certificates(in: file))]
            }
            if let certificate {
                let pair = try KeyPair(reading: certificate)
                configuration.certificateChain = pair.chain.map { .certificate($0) }
                configuration.privateKey = .privateKey(pair.key)
            }
            return try NIOSSLContext(configuration: configuration)
        }
    }
}

extension ClientTLS: ClientSecurity {
    package func prepare() async throws {
        guard storage.context.withLock({ $0 }) == nil else { return }
        let made = try await NIOThreadPool.singleton.runIfActive { [storage] in try storage.makeContext() }
        storage.context.withLock { $0 = $0 ?? made }
    }

    package func secure(
        _ channel: any Channel, host: String, isDirect: Bool, complete: @escaping (SecurityFailure?) -> Void
    ) throws {
        guard let context = storage.context.withLock({ $0 }) else { throw ChannelError.operationUnsupported }
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        // Without a name, the certificate is compared with the address of the peer, which is the proxy's.
        guard isDirect || !isAddress else { throw ServerIdentityError.addressBehindProxy(host) }
        let tls: NIOSSLClientHandler
        do {
            tls = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
        } catch {
            throw ServerIdentityError.wrongHost(host)
        }
        let handshake = HandshakeHandler(tls: tls) { result in
            switch result {
            case .success: complete(nil)
            case .failure(let error):
                let identity = ServerIdentityError(of: error, certificate: tls.peerCertificate, host: host)
                complete(identity.map { .identity($0) } ?? .other(error))
            }
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(handshake, position: .first)
        try pipeline.addHandler(tls, position: .first)
    }
}

extension WebSocketClientOptions {
    /// How the client speaks TLS with `wss://` addresses. `nil` means that it cannot.
    public var tls: ClientTLS? {
        get { security as? ClientTLS }
        set { security = newValue }
    }
}
