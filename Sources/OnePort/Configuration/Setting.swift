import HTTPKit

/// A setting of an application: a flag, its environment variables, its default and its line in `--help`.
///
/// `Setting("database", .text("a file"), default: "chat.sqlite", help: "the file for the messages")` declares the flag
/// `--database` and the variable `ONEPORT_DATABASE`.
public struct Setting: Sendable {
    /// The kind of a setting's values.
    public enum Kind: Sendable {
        /// Any text. The associated value describes it in `--help`: `.text("a file")`.
        case text(String)
        /// An integer within bounds.
        case integer(ClosedRange<Int>)
        /// A size in bytes within bounds: `65536`, `64KiB`, `2MiB`, `1GiB`.
        case bytes(ClosedRange<Int>)
        /// A time in seconds within bounds: `10`, `0.5`.
        case seconds(ClosedRange<Double>)
        /// On or off. The flag alone means on. A value must follow an equals sign: `--name=false`.
        case toggle
        /// One of these words.
        case choice([String])
        /// Texts separated by commas. The associated value describes them in errors. The flag may be repeated.
        case list(String)
        /// IP addresses and ranges such as `10.0.0.0/8`, separated by commas.
        case addresses
        /// Hosts such as `example.com`, `*.example.com` or `localhost:8080`, separated by commas.
        case hosts
        /// Addresses to listen on, such as `127.0.0.1:8080`, `tls:[::]:8443` or `unix:/run/app.sock,mode=660`. The flag may
        /// be repeated, and white space separates several in one value.
        case listeners
    }

    /// The name: `max-body` for the flag `--max-body`.
    public let name: String
    /// The kind of its values.
    public let kind: Kind
    /// The environment variables that are used if there is no flag. The first that is set wins.
    public let environment: [String]
    /// The default value, as text. `nil` leaves the setting unset.
    public var defaultValue: String?
    /// A short description for `--help`.
    public let help: String

    /// Creates a setting.
    /// - Parameters:
    ///   - name: Lower-case words joined by hyphens.
    ///   - kind: The kind of its values.
    ///   - environment: Its variables; without them it is `ONEPORT_` and the name in upper case.
    ///   - defaultValue: The default value, written as for the flag.
    ///   - help: A short description for `--help`.
    public init(
        _ name: String, _ kind: Kind, environment: [String]? = nil, default defaultValue: String? = nil,
        help: String
    ) {
        self.name = name
        self.kind = kind
        self.environment =
            environment ?? ["ONEPORT_" + name.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()]
        self.defaultValue = defaultValue
        self.help = help
    }
}

/// A parsed value of a setting.
enum SettingValue: Sendable, Equatable {
    case text(String)
    case integer(Int)
    case seconds(Duration)
    case toggle(Bool)
    case list([String])
    case addresses([AddressRange])
    case hosts([HostPattern])
    case listeners([HTTPListener])
}

extension Setting.Kind {
    var isToggle: Bool {
        if case .toggle = self { true } else { false }
    }

    /// What joins the values of a flag that is given several times; `nil` if it may be given only once.
    var joint: String? {
        switch self {
        case .listeners: " "
        case .list: ","
        default: nil
        }
    }

    /// Parses a value. Returns `nil` if the text is invalid.
    func value(of text: String) -> SettingValue? {
        switch self {
        case .text: text.isEmpty ? nil : .text(text)
        case .integer(let bounds): Int(text).flatMap { bounds.contains($0) ? .integer($0) : nil }
        case .bytes(let bounds): Self.byteCount(text).flatMap { bounds.contains($0) ? .integer($0) : nil }
        case .seconds(let bounds):
            Double(text).flatMap { bounds.contains($0) ? .seconds(.seconds($0)) : nil }
        case .toggle:
            switch text {
            case "true", "on", "yes", "1": .toggle(true)
            case "false", "off", "no", "0": .toggle(false)
            default: nil
            }
        case .choice(let words): words.contains(text) ? .text(text) : nil
        case .list: .list(Self.items(text))
        case .addresses: Self.all(text, AddressRange.init).map(SettingValue.addresses)
        case .hosts: Self.all(text, HostPattern.init).map(SettingValue.hosts)
        case .listeners: (try? Self.listeners(text)).map(SettingValue.listeners)
        }
    }

    /// The listeners whose addresses stand in a text.
    private static func listeners(_ text: String) throws(BindAddressError) -> [HTTPListener] {
        var listeners: [HTTPListener] = []
        for item in text.split(whereSeparator: \.isWhitespace) {
            listeners.append(try HTTPListener(String(item)))
        }
        return listeners
    }

    /// A description of the valid values, and for an invalid text of what is wrong with it, if that is known.
    func expected(insteadOf text: String) -> String {
        guard case .listeners = self else { return expected }
        do throws(BindAddressError) {
            _ = try Self.listeners(text)
            return expected
        } catch {
            return "\(expected); \(error)"
        }
    }

    /// A description of the valid values.
    var expected: String {
        switch self {
        case .text(let what): what
        case .integer(let bounds):
            "a whole number\(Self.bounds(bounds.lowerBound, bounds.upperBound, Int.max))"
        case .bytes(let bounds):
            "a size in bytes such as 65536, 64KiB or 2MiB\(Self.bounds(bounds.lowerBound, bounds.upperBound, Int.max))"
        case .seconds(let bounds): "seconds\(Self.bounds(bounds.lowerBound, bounds.upperBound, .infinity))"
        case .toggle: "true or false"
        case .choice(let words): words.joined(separator: " or ")
        case .list(let what): "\(what), separated by commas"
        case .addresses: "IP addresses or ranges such as 10.0.0.0/8, separated by commas"
        case .hosts: "hosts such as example.com, *.example.com or localhost:8080, separated by commas"
        case .listeners: "addresses such as 127.0.0.1:8080, tls:[::]:8443 or unix:/run/app.sock,mode=660"
        }
    }

    /// The placeholder for the value in `--help`.
    var placeholder: String {
        switch self {
        case .text(let what): what.split(separator: " ").last.map { "<\($0)>" } ?? "<text>"
        case .integer: "<number>"
        case .bytes: "<bytes>"
        case .seconds: "<seconds>"
        case .toggle: ""
        case .choice(let words): words.joined(separator: "|")
        case .list, .addresses, .hosts: "<a,b,…>"
        case .listeners: "<address>"
        }
    }

    private static func bounds<Number>(_ lower: Number, _ upper: Number, _ open: Number) -> String
    where Number: Comparable & CustomStringConvertible {
        upper == open ? " of at least \(lower)" : " from \(lower) to \(upper)"
    }

    private static func items(_ text: String) -> [String] {
        text.split(separator: ",").map { item in
            String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }.filter { !$0.isEmpty }
    }

    /// The items parsed with `parse`, or `nil` if one of them is invalid.
    private static func all<Value>(_ text: String, _ parse: (String) -> Value?) -> [Value]? {
        var values: [Value] = []
        for item in items(text) {
            guard let value = parse(item) else { return nil }
            values.append(value)
        }
        return values
    }

    private static func byteCount(_ text: String) -> Int? {
        let units: [(suffix: String, factor: Int)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
        for unit in units where text.hasSuffix(unit.suffix) {
            let digits = text.dropLast(unit.suffix.count)
            guard let number = Int(digits.last == " " ? digits.dropLast() : digits) else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: unit.factor)
            return overflow ? nil : product
        }
        return Int(text)
    }
}
