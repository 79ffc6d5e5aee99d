#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The texts that the terminal shows.
enum TerminalText {
    /// The longest name that is shown, in Unicode scalars. A server may send names of any length.
    static let maxNameLength = 64
    /// The longest text that is shown, in Unicode scalars. Each may be a line end, and every line is indented.
    static let maxTextLength = 16 * 1024

    /// A message, with one line for each line of its text.
    static func line(for message: ChatMessage) -> String {
        let head = "[\(clock(message.time))] \(safe(cut(message.name, maxNameLength))): "
        let indent = String(repeating: " ", count: head.count)
        return head
            + cut(message.text, maxTextLength).split(separator: "\n", omittingEmptySubsequences: false)
            .map { safe(String($0)) }.joined(separator: "\n" + indent)
    }

    /// A line from the program itself.
    static func notice(_ text: String) -> String { "* " + safe(cut(text, maxTextLength)) }

    /// The text, or its beginning if it is too long.
    static func cut(_ text: String, _ maxLength: Int) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: maxLength, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// The list of the people in the room.
    static func people(_ names: [String]) -> String {
        notice("\(names.count) here: \(names.joined(separator: ", "))")
    }

    /// Text that cannot control the terminal. Control and format characters become U+FFFD, so that no message moves the
    /// cursor, changes the window's title or reverses the direction of a line.
    static func safe(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar != "\t", .lineSeparator, .paragraphSeparator:
                scalars.append("\u{FFFD}")
            case .format where !joiners.contains(scalar): scalars.append("\u{FFFD}")
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }

    /// Invisible, but needed to write some words and emoji.
    private static let joiners: Set<Unicode.Scalar> = ["\u{200C}", "\u{200D}"]

    /// Hours and minutes in the local time zone.
    static func clock(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "--:--" }
        return "\(twoDigits(parts.tm_hour)):\(twoDigits(parts.tm_min))"
    }

    private static func twoDigits(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
