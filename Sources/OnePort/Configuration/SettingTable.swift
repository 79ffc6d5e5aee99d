/// The settings of an application. Parsing and `--help` both use this table.
struct SettingTable: Sendable {
    let settings: [Setting]

    /// Combines the built-in settings and the application's own. `defaults` replaces defaults by name.
    init(_ builtIn: [Setting], extra: [Setting], defaults: [String: String]) throws(ConfigurationError) {
        var settings: [Setting] = []
        var names: Set<String> = ["help"]
        for var setting in builtIn + extra {
            guard names.insert(setting.name).inserted else {
                throw .declaration("the setting \(setting.name) is declared twice")
            }
            if let value = defaults[setting.name] { setting.defaultValue = value }
            settings.append(setting)
        }
        if let unknown = defaults.keys.sorted().first(where: { !names.contains($0) }) {
            throw .declaration("a default is given for the unknown setting \(unknown)")
        }
        self.settings = settings
    }

    /// The values of settings.
    struct Resolved {
        /// The values by name.
        var values: [String: SettingValue] = [:]
        /// The settings that have a value from a flag or the environment.
        var given: Set<String> = []
    }

    /// The values: from the flag, otherwise from the environment, otherwise the default.
    /// - Parameters:
    ///   - arguments: The arguments without the name of the program.
    ///   - environment: The environment variables. An empty variable counts as unset.
    func resolve(
        _ arguments: [String], _ environment: [String: String], program: String
    ) throws(ConfigurationError) -> Resolved {
        let flags = try read(arguments, program: program)
        var resolved = Resolved()
        for setting in settings {
            guard let (text, source) = Self.text(of: setting, flags, environment) else { continue }
            guard let value = setting.kind.value(of: text) else {
                throw .invalidValue(
                    setting: setting.name, source: source, value: text,
                    expected: setting.kind.expected(insteadOf: text))
            }
            resolved.values[setting.name] = value
            if source != .defaultValue { resolved.given.insert(setting.name) }
        }
        return resolved
    }

    private static func text(
        of setting: Setting, _ flags: [String: String], _ environment: [String: String]
    ) -> (String, ConfigurationError.Source)? {
        if let text = flags[setting.name] { return (text, .flag(setting.name)) }
        for name in setting.environment {
            if let text = environment[name], !text.isEmpty { return (text, .environment(name)) }
        }
        return setting.defaultValue.map { ($0, .defaultValue) }
    }

    /// The values of the flags: `--name value` or `--name=value`.
    private func read(_ arguments: [String], program: String) throws(ConfigurationError) -> [String: String] {
        if arguments.contains("--help") || arguments.contains("-h") {
            throw .helpRequested(help(program: program))
        }
        var flags: [String: String] = [:]
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            guard argument.hasPrefix("--"), argument.count > 2 else { throw .unexpectedArgument(argument) }
            let parts = argument.dropFirst(2).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = parts.first.map(String.init) ?? ""
            guard let setting = settings.first(where: { $0.name == name }) else {
                throw .unknownFlag(name, nearest: nearest(to: name))
            }
            let before = flags[name]
            guard before == nil || setting.kind.joint != nil else { throw .repeatedFlag(name) }
            let joint = before.map { $0 + (setting.kind.joint ?? "") } ?? ""
            if parts.count == 2 {
                flags[name] = joint + parts[1]
            } else if setting.kind.isToggle {
                flags[name] = "true"
            } else if index < arguments.count, !arguments[index].hasPrefix("--") {
                flags[name] = joint + arguments[index]
                index += 1
            } else {
                throw .missingValue(flag: name, expected: setting.kind.expected)
            }
        }
        return flags
    }

    /// The most similar known flag, if at most a third of its letters differ, or one letter in a short name.
    private func nearest(to name: String) -> String? {
        let known = settings.map(\.name) + ["help"]
        let ranked = known.map { (name: $0, distance: Self.distance(Array(name.utf8), Array($0.utf8))) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, best.name.utf8.count / 3) ? best.name : nil
    }

    /// The edit distance: how many letters must be inserted, deleted, replaced or swapped with their neighbor.
    private static func distance(_ one: [UInt8], _ other: [UInt8]) -> Int {
        var previous: [Int] = []
        var row = Array(0...other.count)
        for (index, letter) in one.enumerated() {
            var next = [index + 1]
            for (column, expected) in other.enumerated() {
                var best = min(row[column + 1], next[column]) + 1
                best = min(best, row[column] + (letter == expected ? 0 : 1))
                if index > 0, column > 0, letter == other[column - 1], one[index - 1] == expected {
                    best = min(best, previous[column - 1] + 1)
                }
                next.append(best)
            }
            previous = row
            row = next
        }
        return row.last ?? 0
    }

    /// The text of `--help`.
    func help(program: String) -> String {
        var lines = [
            "usage: \(program) [--setting value] …", "",
            "Flags override environment variables, and environment variables override defaults.", "",
        ]
        let flags = settings.map { setting in
            "  --\(setting.name)" + (setting.kind.placeholder.isEmpty ? "" : " \(setting.kind.placeholder)")
        }
        let width = flags.map(\.count).max() ?? 0
        for (flag, setting) in zip(flags, settings) {
            let value = setting.defaultValue.map { $0.isEmpty ? "none" : $0 } ?? "none"
            lines.append(flag + String(repeating: " ", count: width - flag.count + 2) + setting.help)
            lines.append(
                String(repeating: " ", count: width + 2) + "default \(value); "
                    + setting.environment.joined(separator: ", "))
        }
        lines.append("  --help" + String(repeating: " ", count: max(0, width - 8) + 2) + "print this text")
        return lines.joined(separator: "\n")
    }
}
