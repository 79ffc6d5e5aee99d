#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How the chat looks in a terminal.
enum TerminalText {
    /// The longest name that is shown, in Unicode scalars. A server may send any.
    static let mostOfName = 64
    /// The longest text that is shown, in Unicode scalars: it may have as many lines, each with its indent.
    static let mostOfText = 16 * 1024

    /// One line, or several where the text has several.
    static func line(for message: ChatMessage) -> String {
        let head = "[\(clock(message.time))] \(safe(cut(message.name, mostOfName))): "
        let indent = String(repeating: " ", count: head.count)
        return head
            + cut(message.text, mostOfText).split(separator: "\n", omittingEmptySubsequences: false)
            .map { safe(String($0)) }.joined(separator: "\n" + indent)
    }

    /// A line that nobody said.
    static func notice(_ text: String) -> String { "* " + safe(cut(text, mostOfText)) }

    /// The beginning of a text that is too long.
    static func cut(_ text: String, _ most: Int) -> String {
        let scalars = text.unicodeScalars
        guard let end = scalars.index(scalars.startIndex, offsetBy: most, limitedBy: scalars.endIndex),
            end < scalars.endIndex
        else { return text }
        return String(scalars[..<end]) + "…"
    }

    /// The names of those who are here.
    static func people(_ names: [String]) -> String {
        notice("\(names.count) here: \(names.joined(separator: ", "))")
    }

    /// Text that cannot steer the terminal: what is neither visible nor space becomes U+FFFD, so that nobody
    /// moves another person's cursor, retitles a window or turns the direction of a line.
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

    /// Invisible, but part of how words and pictures are written.
    private static let joiners: Set<Unicode.Scalar> = ["\u{200C}", "\u{200D}"]

    /// Hours and minutes in the machine's own time zone.
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
