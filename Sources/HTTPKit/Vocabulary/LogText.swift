package import Logging

/// Text that came from outside, made safe for a log: a request's path, or the description of an error that quotes what a
/// client sent.
///
/// A line feed would begin a line of the client's own, an escape sequence would act on the terminal that shows the log,
/// and a bidirectional override would show the text in another order than it has.
package enum LogText {
    /// The longest text that goes into one log value, in bytes of UTF-8. The rest is cut off and `…` stands for it.
    package static let maxBytes = 1024

    /// The text with all characters escaped that are not visible: control characters, line ends, and format characters
    /// such as bidirectional overrides become `\n`, `\r`, `\t` or `\u{1B}`.
    ///
    /// It goes by Unicode scalar: a character may have a control character among its scalars.
    package static func clean(_ text: String, limit: Int = maxBytes) -> String {
        if text.utf8.count <= limit, text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            let piece = escaped(scalar)
            guard result.utf8.count + piece.utf8.count <= limit else { return result + "…" }
            result += piece
        }
        return result
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            return "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        default:
            return String(scalar)
        }
    }
}

extension Logger.MetadataValue {
    /// The description of a value that may hold text from outside, cleaned for the log.
    package static func clean(_ value: some Any) -> Logger.MetadataValue {
        .string(LogText.clean(String(describing: value)))
    }
}
