import HTTPKit
import Logging

extension AppConfiguration {
    /// The settings of every application. Their defaults are those of `AppConfiguration()` and `HTTPLimits()`.
    static var builtInSettings: [Setting] {
        let defaults = AppConfiguration()
        let limits = defaults.limits
        return serverSettings(defaults) + limitSettings(limits) + proxySettings(defaults)
            + tlsSettings(limits)
    }

    /// Where and how the application runs.
    private static func serverSettings(_ defaults: AppConfiguration) -> [Setting] {
        [
            Setting(
                "host", .text("an address"), default: defaults.host,
                help: "the address to listen on"),
            Setting(
                "port", .integer(0...65_535), environment: ["ONEPORT_PORT", "PORT"],
                default: "\(defaults.port)",
                help: "the port to listen on; 0 chooses a free port"),
            Setting(
                "listen", .listeners, default: "",
                help:
                    "addresses to listen on: host:port, unix:path,mode=660 or fd:number; tls: before it; repeatable"
            ),
            Setting(
                "threads", .integer(0...1024), default: "0",
                help: "the number of event loops; 0 means one per core"),
            Setting(
                "root", .text("a folder"), default: defaults.root,
                help: "the folder that contains Public and Templates"),
            Setting(
                "environment", .choice(Environment.allCases.map(\.rawValue)),
                default: defaults.environment.rawValue,
                help: "development reloads templates and shows the details of errors"),
            Setting(
                "development-page", .toggle,
                help: "show the details of errors in the page; on in development"),
            Setting(
                "log-level", .choice(Logger.Level.allCases.map(\.rawValue)),
                environment: ["ONEPORT_LOG_LEVEL", "LOG_LEVEL"], default: defaults.logLevel.rawValue,
                help: "the lowest level that is logged"),
            Setting(
                "drain", .seconds(0...3600), default: seconds(defaults.drain),
                help: "how long requests may take to finish after SIGTERM"),
            Setting(
                "drain-delay", .seconds(0...3600), default: seconds(defaults.drainDelay),
                help: "how long to go on accepting connections after SIGTERM, while health is not ready"),
            Setting(
                "h2c", .toggle,
                help: "also take HTTP/2 without TLS, from proxies and programs that begin with it"),
            Setting(
                "hosts", .hosts, default: "",
                help: "the hosts of this application; others are rejected with 421; none means any host"),
        ]
    }

    private static func limitSettings(_ limits: HTTPLimits) -> [Setting] {
        [
            Setting(
                "max-body", .bytes(0...Int.max), default: size(limits.maxBodySize),
                help: "the largest request body; above it, requests are rejected with 413"),
            Setting(
                "max-connections", .integer(1...Int.max), default: "\(limits.maxConnections)",
                help: "the most connections; above it, they are rejected with 503"),
            Setting(
                "max-connections-per-address", .integer(1...Int.max),
                default: "\(limits.maxConnectionsPerAddress)",
                help: "the most connections from one address; above it, they are rejected with 429"),
            Setting(
                "header-timeout", .seconds(0.001...86_400), default: seconds(limits.headTimeout),
                help: "how long a request's head may take; after it, 408"),
            Setting(
                "idle-timeout", .seconds(0.001...86_400), default: seconds(limits.idleTimeout),
                help: "how long a connection may wait for its next request"),
            Setting(
                "body-timeout", .seconds(0.001...86_400), default: seconds(limits.bodyTimeout),
                help: "the longest pause before and within a request's body; after it, 408"),
            Setting(
                "min-body-rate", .bytes(0...Int.max), default: size(limits.minBodyRate),
                help: "the lowest rate of a request's body, in bytes per second; 0 means no limit"),
            Setting(
                "body-rate-grace", .seconds(0...86_400), default: seconds(limits.bodyRateGracePeriod),
                help: "how long a body may be slower than min-body-rate"),
            Setting(
                "write-timeout", .seconds(0.001...86_400), default: seconds(limits.writeTimeout),
                help: "how long a client may stop reading"),
            Setting(
                "min-response-rate", .bytes(0...Int.max), default: size(limits.minResponseRate),
                help: "the lowest rate at which a client may read, in bytes per second; 0 means no limit"),
            Setting(
                "response-rate-grace", .seconds(0...86_400), default: seconds(limits.responseRateGracePeriod),
                help: "how much longer than at min-response-rate reading may take"),
            Setting(
                "linger-timeout", .seconds(0...86_400), default: seconds(limits.lingerTimeout),
                help: "how long to wait for more data from a client after its last response"),
            Setting(
                "max-linger-time", .seconds(0...86_400), default: seconds(limits.maxLingerTime),
                help: "how long to read data that a client sends after its last response"),
        ]
    }

    private static func proxySettings(_ defaults: AppConfiguration) -> [Setting] {
        [
            Setting(
                "trusted-proxies", .addresses, default: "",
                help: "proxies whose headers about the client are trusted; unix means peers on a Unix socket"),
            Setting(
                "forwarded-fields", .choice(ForwardedFields.allCases.map(\.rawValue)),
                default: defaults.forwardedFields.rawValue,
                help: "which headers of trusted proxies are used; the others are ignored"),
            Setting(
                "proxy-protocol", .choice(ProxyProtocol.allCases.map(\.rawValue)),
                default: defaults.proxyProtocol.rawValue,
                help: "required: each connection starts with a PROXY header of a trusted proxy"),
        ]
    }

    private static func tlsSettings(_ limits: HTTPLimits) -> [Setting] {
        [
            Setting(
                "tls-certificate", .list("PEM files"), default: "",
                help: "certificates with their chains, in PEM; several serve several hosts; repeatable"),
            Setting(
                "tls-key", .list("PEM files"), default: "",
                help:
                    "their private keys, in the same order; none means in the certificate's file; repeatable"),
            Setting(
                "tls-min-version", .choice(TLSSettings.Version.allCases.map(\.rawValue)),
                default: TLSSettings().minVersion.rawValue, help: "the lowest version of TLS"),
            Setting(
                "tls-client-ca", .text("a PEM file"),
                help: "clients must have a certificate of one of these authorities"),
            Setting(
                "redirect-http", .toggle,
                help: "redirect requests without TLS to https, with 308"),
            Setting(
                "handshake-timeout", .seconds(0.001...86_400), default: seconds(limits.handshakeTimeout),
                help: "how long a TLS handshake may take"),
            Setting(
                "max-handshakes", .integer(1...Int.max), default: "\(limits.maxUnfinishedHandshakes)",
                help: "the most unfinished TLS handshakes; above it, connections are closed"),
        ]
    }

    /// The host without the brackets of an IPv6 address in a URL.
    private static func withoutBrackets(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    /// Sets the properties from the values of the built-in settings.
    ///
    /// - Parameter passed: The listeners for sockets that another process has passed.
    mutating func applyBuiltInSettings(passed: [HTTPListener]) {
        host = self["host"].map(Self.withoutBrackets) ?? host
        port = integer("port") ?? port
        if let count = integer("threads"), count > 0 { threads = count }
        root = self["root"] ?? root
        environment = self["environment"].flatMap(Environment.init(rawValue:)) ?? environment
        developmentPage = isSet("development-page") ? isOn("development-page") : environment == .development
        logLevel = self["log-level"].flatMap(Logger.Level.init(rawValue:)) ?? logLevel
        drain = duration("drain") ?? drain
        drainDelay = duration("drain-delay") ?? drainDelay
        limits.maxBodySize = integer("max-body") ?? limits.maxBodySize
        limits.maxConnections = integer("max-connections") ?? limits.maxConnections
        limits.maxConnectionsPerAddress =
            integer("max-connections-per-address") ?? limits.maxConnectionsPerAddress
        limits.headTimeout = duration("header-timeout") ?? limits.headTimeout
        limits.idleTimeout = duration("idle-timeout") ?? limits.idleTimeout
        limits.bodyTimeout = duration("body-timeout") ?? limits.bodyTimeout
        limits.minBodyRate = integer("min-body-rate") ?? limits.minBodyRate
        limits.bodyRateGracePeriod = duration("body-rate-grace") ?? limits.bodyRateGracePeriod
        limits.writeTimeout = duration("write-timeout") ?? limits.writeTimeout
        limits.minResponseRate = integer("min-response-rate") ?? limits.minResponseRate
        limits.responseRateGracePeriod = duration("response-rate-grace") ?? limits.responseRateGracePeriod
        limits.lingerTimeout = duration("linger-timeout") ?? limits.lingerTimeout
        limits.maxLingerTime = duration("max-linger-time") ?? limits.maxLingerTime
        trustedProxies = addresses("trusted-proxies")
        forwardedFields = self["forwarded-fields"].flatMap(ForwardedFields.init(rawValue:)) ?? forwardedFields
        proxyProtocol = self["proxy-protocol"].flatMap(ProxyProtocol.init(rawValue:)) ?? proxyProtocol
        hosts = hosts("hosts")
        listeners = listeners("listen") + passed
        applyTLSSettings()
        if !listeners.isEmpty, isGiven("host") || isGiven("port") {
            let usesTLS = !tls.isEmpty && !listeners.contains(where: \.usesTLS)
            listeners.insert(HTTPListener(.hostname(host, port: port), usesTLS: usesTLS), at: 0)
        }
        // A single socket that was passed stands for host and port.
        if passed.count == 1, listeners.count == 1, !tls.isEmpty { listeners[0].usesTLS = true }
        for index in listeners.indices { listeners[index].proxyProtocol = proxyProtocol }
        acceptsCleartextHTTP2 = isOn("h2c")
    }

    private mutating func applyTLSSettings() {
        let keys = list("tls-key")
        tls.certificates = list("tls-certificate").enumerated().map { index, file in
            TLSSettings.Files(certificate: file, key: index < keys.count ? keys[index] : nil)
        }
        tls.minVersion =
            self["tls-min-version"].flatMap(TLSSettings.Version.init(rawValue:)) ?? tls.minVersion
        tls.clientAuthorities = self["tls-client-ca"]
        tls.redirectsHTTP = isOn("redirect-http")
        limits.handshakeTimeout = duration("handshake-timeout") ?? limits.handshakeTimeout
        limits.maxUnfinishedHandshakes = integer("max-handshakes") ?? limits.maxUnfinishedHandshakes
    }

    private static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        return attoseconds == 0 ? "\(seconds)" : "\(duration / .seconds(1))"
    }

    private static func size(_ count: Int) -> String {
        count != 0 && count % (1 << 20) == 0 ? "\(count >> 20)MiB" : "\(count)"
    }
}
