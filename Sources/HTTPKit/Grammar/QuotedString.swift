/// Writes text as a quoted string (RFC 9110 §5.6.4).
package enum QuotedString {
    /// The text in quotes, with a backslash before each quote and backslash.
    ///
    /// It works on bytes: `"\"\u{301}"` is one `Character` that does not equal `"\""`, yet a reader sees the string
    /// end there. A quoted string cannot hold control characters; each becomes a space.
    package static func encode(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 2)
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte.isForbiddenControl ? 0x20 : byte)
        }
        bytes.append(UInt8(ascii: "\""))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text as it is when it is a token, otherwise in quotes: the value of a parameter (RFC 9110 §5.6.6).
    package static func encodeUnlessToken(_ text: String) -> String {
        !text.isEmpty && text.utf8.allSatisfy(\.isTokenCharacter) ? text : encode(text)
    }
}
