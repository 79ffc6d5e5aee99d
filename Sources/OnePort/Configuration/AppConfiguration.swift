public import HTTPKit
public import Logging
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The configuration of an application. Flags override environment variables, which override defaults.
///
/// Applications may add their own settings, which `--help` lists too.
public struct AppConfiguration: Sendable {
    /// Whether the application runs for its developers or for its users.
    public enum Environment: String, Sendable, CaseIterable {
        /// Templates are reloaded when they change, and pages show the details of errors.
        case development
        /// The details of errors are only logged.
        case production

        /// Development in a debug build, production in a release build. So a deployed application does not reveal the
        /// details of errors by default.
        public static var ofBuild: Environment {
            #if DEBUG
                .development
            #else
                .production
            #endif
        }
    }

    /// The address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on. 0 chooses a free port.
    public var port = 8080
    /// Where to listen instead of `host` and `port`, if it is not empty. `--listen` and the sockets that systemd passes
    /// (LISTEN_FDS) set it; then `host` and `port` are listened on too if one of them was set, by a flag or the environment.
    public var listeners: [HTTPListener] = []
    /// The number of event loops. Each has its own thread.
    public var threads = System.coreCount
    /// The folder that contains Public and Templates.
    public var root = "."
    /// Whether the application runs for its developers or for its users.
    public var environment = Environment.ofBuild
    /// The lowest level that is logged.
    public var logLevel = Logger.Level.info
    /// How long requests and sockets may take to finish after SIGTERM or SIGINT.
    public var drain: Duration = .seconds(25)
    /// How long the application goes on to accept connections after SIGTERM or SIGINT, while `health` says that it is not
    /// ready: the time that a load balancer needs to notice.
    public var drainDelay: Duration = .zero
    /// The limits for clients. Many of them are settings too.
    public var limits = HTTPLimits()
    /// The proxies whose headers determine `Request.clientAddress`, `scheme`, `authority` and `pathPrefix`. Each proxy must
    /// set the headers that `forwardedFields` selects itself, or remove those of clients.
    public var trustedProxies: [AddressRange] = []
    /// Which headers of trusted proxies are used: Forwarded, or X-Forwarded-For and the related ones. The others are
    /// ignored.
    public var forwardedFields = ForwardedFields.xForwarded
    /// Whether connections start with a PROXY header, in which a trusted proxy that forwards bytes names its client.
    /// With `required` and without `trustedProxies`, the application does not start.
    public var proxyProtocol = ProxyProtocol.off
    /// The hosts of the application. Requests for other hosts are rejected with 421. If it is empty, any host is allowed.
    ///
    /// It protects applications on a private network from pages whose own host name resolves to the application's address
    /// (DNS rebinding). A request without a host, which only HTTP/1.0 allows, is rejected too.
    public var hosts: [HostPattern] = []
    /// Whether connections without TLS may begin with HTTP/2 (RFC 9113 §3.3). Browsers never do, but proxies and programs
    /// may.
    public var acceptsCleartextHTTP2 = false
    /// The certificates, and what clients must bring. They have an effect in applications that call `tls()` of OnePortTLS.
    public var tls = TLSSettings()
    /// Whether pages show the details of errors.
    public var developmentPage = Environment.ofBuild == .development

    private var values: [String: SettingValue] = [:]
    /// The settings that have a value from a flag or the environment.
    private var given: Set<String> = []

    /// Creates a configuration with the defaults. Flags and environment variables are ignored.
    public init() {}

    /// Parses a command line and environment variables.
    /// - Parameters:
    ///   - arguments: The command line. Its first element is the name of the program.
    ///   - environment: The environment variables.
    ///   - extra: The application's own settings.
    ///   - defaults: Different defaults for settings, by name: `["max-body": "16MiB"]`.
    /// - Throws: `ConfigurationError`, which names the setting, the source of its value, and the expected value;
    ///   `helpRequested` if the arguments contain `--help` or `-h`.
    public static func parse(
        arguments: [String], environment: [String: String], extra: [Setting] = [],
        defaults: [String: String] = [:]
    ) throws(ConfigurationError) -> AppConfiguration {
        let table = try SettingTable(builtInSettings, extra: extra, defaults: defaults)
        let program = arguments.first?.split(separator: "/").last.map(String.init) ?? "app"
        var configuration = AppConfiguration()
        let resolved = try table.resolve(Array(arguments.dropFirst()), environment, program: program)
        configuration.values = resolved.values
        configuration.given = resolved.given
        configuration.applyBuiltInSettings(
            passed: SystemdSockets.listeners(environment, processID: getpid()))
        let (certificates, keys) = (configuration.list("tls-certificate"), configuration.list("tls-key"))
        guard keys.isEmpty || keys.count == certificates.count else {
            throw .contradiction(
                "tls-certificate has \(certificates.count) files and tls-key has \(keys.count); "
                    + "each certificate needs its key")
        }
        return configuration
    }

    /// The configuration of this process. For an invalid setting, it prints an error to standard error and exits with 64
    /// (EX_USAGE). After `--help`, it exits with 0.
    public static func load(extra: [Setting] = [], defaults: [String: String] = [:]) -> AppConfiguration {
        do {
            return try parse(
                arguments: CommandLine.arguments, environment: ProcessEnvironment.current, extra: extra,
                defaults: defaults)
        } catch .helpRequested(let text) {
            print(text)
            exit(0)
        } catch {
            let program = CommandLine.arguments.first?.split(separator: "/").last ?? "app"
            let line = "\(program): \(error)\n"
            _ = line.utf8CString.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count - 1) }
            exit(64)
        }
    }

    /// The path of a file or folder of the application: `path` itself if it is absolute, otherwise relative to `root`.
    public func path(of path: String) -> String {
        if path.hasPrefix("/") || root == "." { return path }
        return root.hasSuffix("/") ? root + path : root + "/" + path
    }
}

extension AppConfiguration {
    /// The value of a text or choice setting, or `nil` if it is unset or of another kind.
    public subscript(name: String) -> String? {
        if case .text(let text) = values[name] { text } else { nil }
    }

    /// The value of a setting that is an integer or a size in bytes, or `nil` if it is unset or of another kind.
    public func integer(_ name: String) -> Int? {
        if case .integer(let number) = values[name] { number } else { nil }
    }

    /// The value of a setting in seconds, or `nil` if it is unset or of another kind.
    public func duration(_ name: String) -> Duration? {
        if case .seconds(let duration) = values[name] { duration } else { nil }
    }

    /// Whether a toggle is on. It is off if it is unset.
    public func isOn(_ name: String) -> Bool {
        values[name] == .toggle(true)
    }

    /// Whether the setting has a value from a flag, the environment or a default.
    public func isSet(_ name: String) -> Bool {
        values[name] != nil
    }

    /// Whether the setting has a value from a flag or the environment.
    func isGiven(_ name: String) -> Bool { given.contains(name) }

    /// The listeners of a setting that is a list of addresses to listen on. Empty if it is unset.
    public func listeners(_ name: String) -> [HTTPListener] {
        if case .listeners(let listeners) = values[name] { listeners } else { [] }
    }

    /// The ranges of a setting that is a list of addresses. Empty if it is unset.
    public func addresses(_ name: String) -> [AddressRange] {
        if case .addresses(let ranges) = values[name] { ranges } else { [] }
    }

    /// The hosts of a setting that is a list of hosts. Empty if it is unset.
    public func hosts(_ name: String) -> [HostPattern] {
        if case .hosts(let hosts) = values[name] { hosts } else { [] }
    }

    /// The items of a setting that is a list. Empty if it is unset.
    public func list(_ name: String) -> [String] {
        switch values[name] {
        case .list(let items): items
        case .addresses(let ranges): ranges.map(\.description)
        case .hosts(let hosts): hosts.map(\.description)
        case .listeners(let listeners): listeners.map(\.description)
        default: []
        }
    }
}
