/// Comma-separated field values (RFC 9110 §5.6.1), for the handshake.
enum FieldList {
    /// The tokens of all `values` in order, or `nil` if an element is not a token. Empty elements are ignored.
    static func tokens(_ values: [String]) -> [String]? {
        var tokens: [String] = []
        for value in values {
            for element in value.utf8.split(separator: UInt8(ascii: ",")) {
                let trimmed = trim(element)
                if trimmed.isEmpty { continue }
                guard trimmed.allSatisfy(isTokenCharacter) else { return nil }
                tokens.append(String(decoding: trimmed, as: UTF8.self))
            }
        }
        return tokens
    }

    /// Whether an element of `values` is `token`, ignoring case. Other elements may be anything.
    static func contains(_ token: String, in values: [String]) -> Bool {
        let wanted = token.lowercased()
        return values.contains { value in
            value.utf8.split(separator: UInt8(ascii: ",")).contains { element in
                String(decoding: trim(element), as: UTF8.self).lowercased() == wanted
            }
        }
    }

    /// `tchar` of RFC 9110 §5.6.2.
    static func isTokenCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// `OWS` of RFC 9110 §5.6.3.
    static func isWhitespace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func trim(_ element: Substring.UTF8View) -> Substring.UTF8View {
        var rest = element
        while let first = rest.first, isWhitespace(first) { rest.removeFirst() }
        while let last = rest.last, isWhitespace(last) { rest.removeLast() }
        return rest
    }
}
