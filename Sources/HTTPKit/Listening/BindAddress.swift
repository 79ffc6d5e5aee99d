#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where a server listens: an address or name with a port, a Unix domain socket, or a socket that another process has
/// bound.
///
/// As text: `127.0.0.1:8080`, `[::]:8080`, `localhost:8080`, `unix:/run/app.sock`, `unix:/run/app.sock,mode=660`, `fd:3`.
public enum BindAddress: Sendable, Hashable {
    /// An IP address without brackets, or a name, which stands for all of its addresses. `localhost` is 127.0.0.1 and
    /// ::1. Port 0 takes any port that is free, the same one for all addresses.
    case hostname(String, port: Int)
    /// The path of a Unix domain socket, and the mode of its file. Without a mode, the file gets what the process's
    /// umask leaves. A client needs the permission to write.
    case unix(path: String, mode: UInt16? = nil)
    /// The descriptor of a stream socket that is bound already, as systemd passes it. The server owns and closes it.
    ///
    /// If several processes have the socket, one of them accepts at a time. So a new server can begin while the old one
    /// still runs: it accepts from the moment in which the old one shuts down or ends, and no connection is lost.
    case inherited(descriptor: CInt)

    /// Parses an address as text.
    public init(_ text: String) throws(BindAddressError) {
        if text.hasPrefix("unix:") {
            self = try Self.unixAddress(text)
        } else if text.hasPrefix("fd:") {
            guard let descriptor = Self.number(text.dropFirst(3)).flatMap(CInt.init(exactly:)), descriptor > 2
            else { throw BindAddressError(text: text, problem: .descriptor) }
            self = .inherited(descriptor: descriptor)
        } else {
            self = try Self.hostAddress(text)
        }
    }

    /// How long the path of a Unix domain socket may be, in bytes: what `sockaddr_un` holds without its terminator.
    public static let maxPathLength = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    private static func hostAddress(_ text: String) throws(BindAddressError) -> BindAddress {
        guard let colon = text.lastIndex(of: ":"), text.last != "]" else {
            throw BindAddressError(text: text, problem: .noPort)
        }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { throw BindAddressError(text: text, problem: .host) }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw BindAddressError(text: text, problem: .noBrackets)
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !host.contains("/") else {
            throw BindAddressError(text: text, problem: .host)
        }
        guard let port = number(text[text.index(after: colon)...]), port <= 65_535 else {
            throw BindAddressError(text: text, problem: .port)
        }
        return .hostname(String(host), port: port)
    }

    private static func unixAddress(_ text: String) throws(BindAddressError) -> BindAddress {
        let parts = text.dropFirst(5).split(separator: ",", omittingEmptySubsequences: false)
        let path = parts.first.map(String.init) ?? ""
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw BindAddressError(text: text, problem: .noPath)
        }
        guard path.utf8.count <= maxPathLength else {
            throw BindAddressError(text: text, problem: .longPath)
        }
        var mode: UInt16?
        for option in parts.dropFirst() {
            guard mode == nil, option.hasPrefix("mode=") else {
                throw BindAddressError(text: text, problem: .option(String(option)))
            }
            mode = try fileMode(option.dropFirst(5), of: text)
        }
        return .unix(path: path, mode: mode)
    }

    private static func fileMode(
        _ digits: Substring, of text: String
    ) throws(BindAddressError) -> UInt16 {
        guard (1...4).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x37 }),
            let mode = UInt16(digits, radix: 8), mode <= 0o777
        else { throw BindAddressError(text: text, problem: .mode) }
        return mode
    }

    /// A number of decimal digits only.
    private static func number(_ digits: Substring) -> Int? {
        digits.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? Int(digits) : nil
    }
}

extension BindAddress: CustomStringConvertible {
    /// The address as text, as `init(_:)` parses it.
    public var description: String {
        switch self {
        case .hostname(let host, let port): Self.authority(host, port)
        case .unix(let path, let mode): "unix:" + path + (mode.map { ",mode=" + String($0, radix: 8) } ?? "")
        case .inherited(let descriptor): "fd:\(descriptor)"
        }
    }

    /// `host:port` as it stands in a URL: an IPv6 address has brackets there (RFC 3986 §3.2.2).
    package static func authority(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// A text is not the address of a listener.
public struct BindAddressError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with a text.
    public enum Problem: Sendable, Hashable {
        /// There is no port.
        case noPort
        /// The port is not a number from 0 to 65535.
        case port
        /// The host is empty or has characters that no host has.
        case host
        /// An IPv6 address without brackets.
        case noBrackets
        /// A Unix domain socket without a path.
        case noPath
        /// The path of the Unix domain socket is longer than `BindAddress.maxPathLength`.
        case longPath
        /// The mode is not an octal number up to 777.
        case mode
        /// An option that is unknown, or given twice.
        case option(String)
        /// The descriptor is not a number above 2.
        case descriptor
    }

    /// The text.
    public let text: String
    /// What is wrong with it.
    public let problem: Problem

    /// The text and what is wrong with it.
    public var description: String { "\"\(text)\" \(reason)" }

    private var reason: String {
        switch problem {
        case .noPort: "has no port, as in 127.0.0.1:8080"
        case .port: "has a port that is not a number from 0 to 65535"
        case .host: "has an invalid host"
        case .noBrackets: "has an IPv6 address without brackets, as in [::1]:8080"
        case .noPath: "has no path, as in unix:/run/app.sock"
        case .longPath: "has a path of more than \(BindAddress.maxPathLength) bytes"
        case .mode: "has a mode that is not an octal number such as 660"
        case .option(let option): "has the unknown or repeated option \"\(option)\"; there is mode=660"
        case .descriptor: "has a descriptor that is not a number above 2, as in fd:3"
        }
    }
}
