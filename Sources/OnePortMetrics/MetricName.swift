/// The names, labels and numbers of Prometheus' text format.
enum MetricName {
    /// A name with letters, digits, `_` and `:`, which does not begin with a digit, and ends with `suffix` once.
    static func metric(_ label: String, suffix: String = "") -> String {
        let name = cleaned(label, colon: true)
        return name.hasSuffix(suffix) ? name : name + suffix
    }

    /// A name of a label. `le`, which histograms have themselves, becomes `le_`.
    static func label(_ text: String) -> String {
        let name = cleaned(text, colon: false)
        return name == "le" ? "le_" : name
    }

    private static func cleaned(_ text: String, colon: Bool) -> String {
        var name = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39 where !name.isEmpty, 0x41...0x5A, 0x61...0x7A, 0x5F:
                name.unicodeScalars.append(Unicode.Scalar(byte))
            case 0x30...0x39: name += "_" + String(Unicode.Scalar(byte))
            case 0x3A where colon: name += ":"
            default: name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }

    /// `{name="value",…}`; nothing if there are no labels.
    static func text(_ labels: [Label]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0.name)=\"\(escaped($0.value))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// A number.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return "\(value)"
    }
}
