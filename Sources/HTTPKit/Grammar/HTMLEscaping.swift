extension StringProtocol {
    /// The text with `&`, `<`, `>`, `"` and `'` as character references, so that HTML shows it as it is.
    ///
    /// Use it for text between tags and for attribute values in double or single quotes. An attribute without
    /// quotes, a script, a style sheet and the scheme of a link need more than this.
    ///
    /// It works on UTF-8 bytes. A `Character` is the wrong unit: `"<\u{301}"` is one character that does not equal `"<"`,
    /// yet a browser sees a tag begin there.
    public var htmlEscaped: String {
        guard utf8.contains(where: { HTMLEscaping.reference(for: $0) != nil }) else { return String(self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count + 32)
        for byte in utf8 {
            if let reference = HTMLEscaping.reference(for: byte) {
                bytes.append(contentsOf: reference.utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The character references of `htmlEscaped`. All five are needed in some context, and all of them are ASCII, so no
/// byte of another character is taken for one.
private enum HTMLEscaping {
    static func reference(for byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "&"): "&amp;"
        case UInt8(ascii: "<"): "&lt;"
        case UInt8(ascii: ">"): "&gt;"
        case UInt8(ascii: "\""): "&quot;"
        case UInt8(ascii: "'"): "&#39;"
        default: nil
        }
    }
}
