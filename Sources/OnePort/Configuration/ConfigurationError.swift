/// Why the settings of an application could not be resolved.
public enum ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// Where a value came from.
    public enum Source: Sendable, Equatable, CustomStringConvertible {
        case flag(String)
        case environment(String)
        case defaultValue

        /// `--port`, the variable's name, or "the default".
        public var description: String {
            switch self {
            case .flag(let name): "--\(name)"
            case .environment(let name): "the environment variable \(name)"
            case .defaultValue: "the default"
            }
        }
    }

    /// An unknown flag. `nearest` is a known flag with a similar name.
    case unknownFlag(String, nearest: String?)
    /// A flag that is given twice.
    case repeatedFlag(String)
    /// A flag without a value.
    case missingValue(flag: String, expected: String)
    /// A value that is invalid for the setting.
    case invalidValue(setting: String, source: Source, value: String, expected: String)
    /// Settings that do not fit together.
    case contradiction(String)
    /// An argument that is not a flag.
    case unexpectedArgument(String)
    /// Two settings have the same name, or a default names an unknown setting.
    case declaration(String)
    /// The arguments contain `--help`. The value is the text to print.
    case helpRequested(String)

    /// The problem and the expected value.
    public var description: String {
        switch self {
        case .unknownFlag(let name, let nearest?): "unknown flag --\(name); did you mean --\(nearest)?"
        case .unknownFlag(let name, nil): "unknown flag --\(name); --help lists the settings"
        case .repeatedFlag(let name): "--\(name) is given twice"
        case .missingValue(let flag, let expected): "--\(flag) needs a value: \(expected)"
        case .invalidValue(let setting, let source, let value, let expected):
            "invalid value \"\(value)\" for the setting \(setting), from \(source); expected: \(expected)"
        case .unexpectedArgument(let text): "\"\(text)\" is not a flag; --help lists the settings"
        case .declaration(let problem), .contradiction(let problem): problem
        case .helpRequested(let text): text
        }
    }
}
