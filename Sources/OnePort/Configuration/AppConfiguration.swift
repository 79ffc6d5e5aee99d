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

/// What an application is started with: flags, then environment variables, then defaults.
///
/// Every setting is one row of a table, from which `--help` is made too; an application adds its own rows.
public struct AppConfiguration: Sendable {
    /// Who the application is running for.
    public enum Environment: String, Sendable, CaseIterable {
        /// Templates are read again when they change, and errors are shown in the page.
        case development
        /// Errors are only logged.
        case production

        /// Development in a debug build, production in a release build: what is deployed keeps its errors to
        /// itself without having been told to.
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
    /// The port to listen on; 0 is any that is free.
    public var port = 8080
    /// How many event loops, each a thread.
    public var threads = System.coreCount
    /// The folder that holds Public and Templates.
    public var root = "."
    /// Who the application is running for.
    public var environment = Environment.ofBuild
    /// From which level on log lines are written.
    public var logLevel = Logger.Level.info
    /// How long requests and sockets may take to end after SIGTERM or SIGINT.
    public var drain: Duration = .seconds(25)
    /// What a client may ask of the server; five of the limits are settings.
    public var limits = HTTPLimits()
    /// The proxies that are believed when they say for which client they forward a request: `Request.clientAddress`,
    /// `scheme`, `authority` and `pathPrefix` follow them. Each must write the fields that `forwardedFields` chooses
    /// itself, or remove what clients have put there.
    public var trustedProxies: [AddressRange] = []
    /// Which fields of trusted proxies are read: Forwarded, or X-Forwarded-For and its companions. The other ones are
    /// ignored.
    public var forwardedFields = ForwardedFields.xForwarded
    /// The hosts that the application answers for; requests for others get 421. If it is empty, any host will do.
    ///
    /// It protects what runs on a private network from pages that have their own name resolve to its address
    /// (DNS rebinding). A request without a host, which only HTTP/1.0 allows, gets 421 too.
    public var hosts: [HostPattern] = []
    /// Whether an error's details are shown in the page.
    public var developmentPage = Environment.ofBuild == .development

    private var values: [String: SettingValue] = [:]

    /// The defaults, without a look at flags or the environment.
    public init() {}

    /// The settings of a start.
    /// - Parameters:
    ///   - arguments: The command line; its first entry is the name of the program.
    ///   - environment: The environment variables.
    ///   - extra: The application's own settings.
    ///   - defaults: Other defaults for settings, by name: `["max-body": "16MiB"]`.
    /// - Throws: `ConfigurationError`, which names the setting, where its value came from, and what is wanted;
    ///   `helpRequested` when `--help` is among the arguments.
    public static func parse(
        arguments: [String], environment: [String: String], extra: [Setting] = [],
        defaults: [String: String] = [:]
    ) throws(ConfigurationError) -> AppConfiguration {
        let table = try SettingTable(builtInSettings, extra: extra, defaults: defaults)
        let program = arguments.first?.split(separator: "/").last.map(String.init) ?? "app"
        var configuration = AppConfiguration()
        configuration.values = try table.resolve(Array(arguments.dropFirst()), environment, program: program)
        configuration.takeBuiltIn()
        return configuration
    }

    /// The settings of this process. On a mistake it says on standard error what is wrong and exits with 64
    /// (EX_USAGE); after `--help` it exits with 0.
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

    /// Where a file or folder of the application is: `path` itself when it is absolute, otherwise below `root`.
    public func path(of path: String) -> String {
        if path.hasPrefix("/") || root == "." { return path }
        return root.hasSuffix("/") ? root + path : root + "/" + path
    }
}

extension AppConfiguration {
    /// The text of a setting that is a text or a choice; `nil` when it is unset or of another kind.
    public subscript(name: String) -> String? {
        if case .text(let text) = values[name] { text } else { nil }
    }

    /// The number of a setting that is a whole number or a size in octets.
    public func integer(_ name: String) -> Int? {
        if case .integer(let number) = values[name] { number } else { nil }
    }

    /// The time of a setting in seconds.
    public func duration(_ name: String) -> Duration? {
        if case .seconds(let duration) = values[name] { duration } else { nil }
    }

    /// Whether a setting that is on or off is on; off when it is unset.
    public func isOn(_ name: String) -> Bool {
        values[name] == .toggle(true)
    }

    /// Whether a flag, the environment or a default gives the setting a value.
    public func isSet(_ name: String) -> Bool {
        values[name] != nil
    }

    /// The ranges of a setting that is a list of addresses; none when it is unset.
    public func addresses(_ name: String) -> [AddressRange] {
        if case .addresses(let ranges) = values[name] { ranges } else { [] }
    }

    /// The hosts of a setting that is a list of hosts; none when it is unset.
    public func hosts(_ name: String) -> [HostPattern] {
        if case .hosts(let hosts) = values[name] { hosts } else { [] }
    }

    /// The items of a setting that is a list; none when it is unset.
    public func list(_ name: String) -> [String] {
        switch values[name] {
        case .list(let items): items
        case .addresses(let ranges): ranges.map(\.description)
        case .hosts(let hosts): hosts.map(\.description)
        default: []
        }
    }
}
