import Logging
import NIOCore
import NIOPosix
import NIOSSL
import OnePort
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The certificates of a server, read from files and read again when the files change.
final class ServerCertificates: Sendable {
    /// How long before its end a certificate is warned of.
    static let expiryWarning = Duration.seconds(14 * 86_400)

    /// What was read at one time.
    private struct Reading: Sendable {
        let pairs: [KeyPair]
        let clientAuthorities: [NIOSSLCertificate]
    }

    private struct State {
        var reading: Reading
        /// The files as they were before they were read last, valid or not.
        var stamps: [FileStamp?]
        /// The contexts of `reading`, by the protocols that they offer.
        var contexts: [[String]: NIOSSLContext] = [:]
    }

    private let settings: TLSSettings
    let logger: Logger
    private let state: Mutex<State>

    /// Reads the certificates.
    ///
    /// - Throws: `TLSError`.
    init(settings: TLSSettings, logger: Logger) async throws {
        self.settings = settings
        self.logger = logger
        let (stamps, reading) = try await NIOThreadPool.singleton.runIfActive {
            (Self.stamps(of: settings), try Self.read(settings))
        }
        state = Mutex(State(reading: reading, stamps: stamps))
        warn(of: reading, stamps)
    }

    /// The context for a handshake that offers `applicationProtocols`.
    func context(offering applicationProtocols: [String]) throws -> NIOSSLContext {
        try state.withLock { state in
            if let known = state.contexts[applicationProtocols] { return known }
            let made = try Self.context(state.reading, settings, applicationProtocols)
            state.contexts[applicationProtocols] = made
            return made
        }
    }

    /// Reads the files again if they have changed, or always.
    ///
    /// If they are not valid, the certificates stay as they are, and the reason is logged.
    func reload(always: Bool = false) async {
        let (settings, old) = (settings, state.withLock { $0.stamps })
        let change = try? await NIOThreadPool.singleton.runIfActive {
            let stamps = Self.stamps(of: settings)
            guard always || stamps != old else { return nil as ([FileStamp?], Result<Reading, any Error>)? }
            return (stamps, Result { try Self.read(settings) })
        }
        guard let (stamps, result) = change else { return }
        switch result {
        case .success(let reading):
            state.withLock { $0 = State(reading: reading, stamps: stamps) }
            logger.info("certificates were read again")
            warn(of: reading, stamps)
        case .failure(let error):
            // A file that stays as it is does not fail again.
            state.withLock { $0.stamps = stamps }
            logger.error("certificates stay as they are", metadata: ["error": "\(error)"])
        }
    }

    // MARK: Reading

    /// All files.
    private static func files(of settings: TLSSettings) -> [String] {
        settings.certificates.flatMap { [$0.certificate, KeyPair.keyFile(of: $0)] }
            + [settings.clientAuthorities].compactMap { $0 }
    }

    private static func stamps(of settings: TLSSettings) -> [FileStamp?] {
        files(of: settings).map { FileStamp(path: $0) }
    }

    private static func read(_ settings: TLSSettings) throws(TLSError) -> Reading {
        var pairs: [KeyPair] = []
        for files in settings.certificates { pairs.append(try KeyPair(reading: files)) }
        let authorities =
            if let file = settings.clientAuthorities { try KeyPair.certificates(in: file) } else {
                [NIOSSLCertificate]()
            }
        return Reading(pairs: pairs, clientAuthorities: authorities)
    }

    /// Warns of keys that others can read, and of certificates that expire soon.
    private func warn(of reading: Reading, _ stamps: [FileStamp?]) {
        for (file, stamp) in zip(Self.files(of: settings), stamps)
        where stamp?.isReadableByOthers == true
            && reading.pairs.contains(where: { KeyPair.keyFile(of: $0.files) == file })
        {
            logger.warning(
                "a private key is readable by everybody on this machine; its mode should be 600 or 640",
                metadata: ["file": "\(file)"])
        }
        warnOfExpiry(reading, now: time(nil))
    }

    private func warnOfExpiry(_ reading: Reading, now: Int) {
        for pair in reading.pairs {
            let left = Duration.seconds(pair.expiry - now)
            guard left < Self.expiryWarning else { continue }
            logger.warning(
                left > .zero ? "a certificate expires soon" : "a certificate has expired",
                metadata: [
                    "file": "\(pair.files.certificate)", "days": "\(left.components.seconds / 86_400)",
                ])
        }
    }

    /// Warns of certificates that expire soon.
    func warnOfExpiry(now: Int = time(nil)) { warnOfExpiry(state.withLock { $0.reading }, now: now) }

    // MARK: Contexts

    /// For TLS 1.2: forward secrecy and authenticated encryption only, as HTTP/2 demands (RFC 9113 §9.2.2).
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

    private static func context(
        _ reading: Reading, _ settings: TLSSettings, _ applicationProtocols: [String]
    ) throws -> NIOSSLContext {
        guard let first = reading.pairs.first else { throw NIOSSLError.failedToLoadCertificate }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: first.chain.map { .certificate($0) }, privateKey: .privateKey(first.key))
        configuration.minimumTLSVersion = settings.minVersion == .tls13 ? .tlsv13 : .tlsv12
        configuration.cipherSuites = ciphers
        configuration.applicationProtocols = applicationProtocols
        configuration.shutdownTimeout = .seconds(1)
        if !reading.clientAuthorities.isEmpty {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(reading.clientAuthorities)
            configuration.sendCANameList = true
        }
        if reading.pairs.count > 1 {
            let (pairs, names) = (reading.pairs, reading.pairs.map(\.names))
            configuration.sslContextCallback = { hello, promise in
                let index = hello.serverHostname.flatMap { HostNames.index(for: $0, in: names) } ?? 0
                var change = NIOSSLContextConfigurationOverride()
                change.certificateChain = pairs[index].chain.map { .certificate($0) }
                change.privateKey = .privateKey(pairs[index].key)
                promise.succeed(change)
            }
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
