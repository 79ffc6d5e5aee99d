/// Walks a field value by the pieces that structured fields share (RFC 9110 §5.6): tokens, quoted strings,
/// optional white space and parameters. It never fails as a whole: a piece that is not there is `nil`.
struct FieldScanner {
    let bytes: [UInt8]
    private(set) var index = 0

    init(_ value: String) {
        bytes = Array(value.utf8)
    }

    var isAtEnd: Bool { index >= bytes.count }

    /// The next octet, left where it is.
    var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    /// Takes the octet if it is the next one.
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        index += 1
        return true
    }

    /// Skips optional white space (§5.6.3).
    mutating func skipBlanks() {
        while let byte = peek, byte.isBlank { index += 1 }
    }

    /// Takes the longest run of octets that `belongs` accepts, which may be empty.
    mutating func run(while belongs: (UInt8) -> Bool) -> String {
        let start = index
        while let byte = peek, belongs(byte) { index += 1 }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// A token (§5.6.2), or `nil` when there is none here.
    mutating func token() -> String? {
        let text = run(while: \.isTokenCharacter)
        return text.isEmpty ? nil : text
    }

    /// A quoted string (§5.6.4) without its quotes and backslashes, or `nil` when there is no whole one here.
    mutating func quotedString() -> String? {
        let start = index
        guard take(UInt8(ascii: "\"")) else { return nil }
        var text: [UInt8] = []
        while let byte = peek {
            index += 1
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                guard let escaped = peek else { break }
                index += 1
                text.append(escaped)
            } else {
                text.append(byte)
            }
        }
        index = start
        return nil
    }

    /// `*( OWS ";" OWS [ parameter ] )` (§5.6.6) with names in lower case; `nil` when a parameter is malformed.
    mutating func parameters() -> [(name: String, value: String)]? {
        var result: [(name: String, value: String)] = []
        while true {
            skipBlanks()
            guard take(UInt8(ascii: ";")) else { return result }
            skipBlanks()
            guard let name = token() else {
                if isAtEnd || peek == UInt8(ascii: ";") || peek == UInt8(ascii: ",") { continue }
                return nil
            }
            guard take(UInt8(ascii: "=")), let value = peek == UInt8(ascii: "\"") ? quotedString() : token()
            else { return nil }
            result.append((name.lowercased(), value))
        }
    }

    /// Skips to after the next comma outside of quotes: where a list goes on after a malformed element.
    mutating func skipElement() {
        while let byte = peek {
            if byte == UInt8(ascii: "\""), quotedString() != nil { continue }
            index += 1
            if byte == UInt8(ascii: ",") { return }
        }
    }
}
