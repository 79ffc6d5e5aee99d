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

    /// A flag that no setting has; `nearest` is a known one that is written almost alike.
    case unknownFlag(String, nearest: String?)
    /// A flag that is there twice.
    case repeatedFlag(String)
    /// A flag without its value.
    case missingValue(flag: String, wanted: String)
    /// A value that is not what the setting takes.
    case badValue(setting: String, source: Source, value: String, wanted: String)
    /// An argument that is no flag.
    case unexpectedArgument(String)
    /// Two settings of the application have the same name, or a default is given for none.
    case declaration(String)
    /// `--help` was asked for: the text to print. Not a mistake.
    case helpRequested(String)

    /// What is wrong, and what is wanted.
    public var description: String {
        switch self {
        case .unknownFlag(let name, let nearest?): "there is no --\(name); did you mean --\(nearest)?"
        case .unknownFlag(let name, nil): "there is no --\(name); --help lists the settings"
        case .repeatedFlag(let name): "--\(name) is there twice"
        case .missingValue(let flag, let wanted): "--\(flag) has no value; wanted: \(wanted)"
        case .badValue(let setting, let source, let value, let wanted):
            "the setting \(setting) is \"\(value)\" by \(source); wanted: \(wanted)"
        case .unexpectedArgument(let text): "\"\(text)\" is not a flag; --help lists the settings"
        case .declaration(let problem): problem
        case .helpRequested(let text): text
        }
    }
}
