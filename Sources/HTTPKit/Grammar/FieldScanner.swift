#if DEBUG
    import Synchronization
#endif

/// Walks a field value by the pieces that structured fields share (RFC 9110 §5.6): tokens, quoted strings,
/// optional white space and parameters. It never fails as a whole: a piece that is not there is `nil`.
///
/// Whatever the input, it passes each byte a bounded number of times.
struct FieldScanner {
    let bytes: [UInt8]
    private(set) var index = 0
    /// No quoted string that begins before this index is whole.
    ///
    /// A failed attempt to read one passes every quote up to the place where it fails, and all of them are escaped. An
    /// attempt from one of those would go on from there in the same way, and fail at the same place.
    private var unquotedUntil = 0
    #if DEBUG
        private let counter = ScanCounter.current
    #endif

    /// How many parameters one element may have; an element with more is malformed.
    static let maximumParameters = 64

    init(_ value: String) {
        bytes = Array(value.utf8)
    }

    var isAtEnd: Bool { index >= bytes.count }

    /// The next byte, left where it is.
    var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func advance() {
        index += 1
        #if DEBUG
            counter?.count()
        #endif
    }

    /// Takes the byte if it is the next one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        advance()
        return true
    }

    /// Skips optional white space (§5.6.3).
    mutating func skipBlanks() {
        while let byte = peek, byte.isBlank { advance() }
    }

    /// Takes the longest run of bytes that `belongs` accepts, which may be empty.
    mutating func run(while belongs: (UInt8) -> Bool) -> String {
        let start = index
        while let byte = peek, belongs(byte) { advance() }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// A token (§5.6.2), or `nil` when there is none here.
    mutating func token() -> String? {
        let text = run(while: \.isTokenCharacter)
        return text.isEmpty ? nil : text
    }

    /// A quoted string (§5.6.4) without its quotes and backslashes, or `nil` when there is no whole one here. One with
    /// a control character is none.
    mutating func quotedString() -> String? {
        guard index >= unquotedUntil else { return nil }
        let start = index
        guard take(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while let byte = peek, !byte.isForbiddenControl {
            advance()
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = peek, !escaped.isForbiddenControl else { break }
                advance()
                text.append(escaped)
            } else {
                text.append(byte)
            }
        }
        unquotedUntil = index
        index = start
        return nil
    }

    /// What parameters look like.
    enum ParameterStyle {
        /// As RFC 9110 §5.6.6 has them.
        case strict
        /// As clients write those of media types: with white space around `=`, and with values that are not quoted
        /// although they hold one of `/ : = ? ( ) @`, which can mean nothing else there.
        case lenient
    }

    private static let unquotedCharacters = ByteSet("/:=?()@")

    /// `*( OWS ";" OWS [ parameter ] )` (§5.6.6) with names in lower case; `nil` when a parameter is malformed, or when
    /// there are more than `maximumParameters`.
    mutating func parameters(_ style: ParameterStyle = .strict) -> [(name: String, value: String)]? {
        var result: [(name: String, value: String)] = []
        while true {
            skipBlanks()
            guard take(UInt8(ascii: ";")) else { return result }
            skipBlanks()
            guard let name = token() else {
                if isAtEnd || peek == UInt8(ascii: ";") || peek == UInt8(ascii: ",") { continue }
                return nil
            }
            if style == .lenient { skipBlanks() }
            guard take(UInt8(ascii: "=")) else { return nil }
            if style == .lenient { skipBlanks() }
            guard result.count < Self.maximumParameters, let value = parameterValue(style) else { return nil }
            result.append((name.lowercased(), value))
        }
    }

    private mutating func parameterValue(_ style: ParameterStyle) -> String? {
        if peek == UInt8(ascii: "\"") { return quotedString() }
        guard style == .lenient else { return token() }
        let value = run { $0.isTokenCharacter || Self.unquotedCharacters.contains($0) }
        return value.isEmpty ? nil : value
    }

    /// Skips to after the next comma outside of quotes: where a list goes on after a malformed element.
    mutating func skipElement() {
        while let byte = peek {
            if byte == UInt8(ascii: "\""), quotedString() != nil { continue }
            advance()
            if byte == UInt8(ascii: ",") { return }
        }
    }
}

#if DEBUG
    /// Counts the bytes that the scanners of a task pass, so that tests can compare the work and need not time it.
    final class ScanCounter: Sendable {
        @TaskLocal static var current: ScanCounter?

        private let passed = Atomic<Int>(0)

        var steps: Int { passed.load(ordering: .relaxed) }

        fileprivate func count() { passed.add(1, ordering: .relaxed) }
    }
#endif
