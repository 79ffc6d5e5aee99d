/// Comma-separated field values (RFC 9110 §5.6.1).
package enum FieldList {
    /// The tokens of all `values` in order, or `nil` if an element is not a token. Empty elements are ignored.
    package static func tokens(_ values: [String]) -> [String]? {
        var tokens: [String] = []
        for value in values {
            for element in value.utf8.split(separator: UInt8(ascii: ",")) {
                let trimmed = trim(element)
                if trimmed.isEmpty { continue }
                guard trimmed.allSatisfy(\.isTokenCharacter) else { return nil }
                tokens.append(String(decoding: trimmed, as: UTF8.self))
            }
        }
        return tokens
    }

    /// Whether an element of `values` is `token`, ignoring case. Other elements may be anything.
    package static func contains(_ token: String, in values: [String]) -> Bool {
        let wanted = token.lowercased()
        return values.contains { value in
            value.utf8.split(separator: UInt8(ascii: ",")).contains { element in
                String(decoding: trim(element), as: UTF8.self).lowercased() == wanted
            }
        }
    }

    /// `element` without the white space around it (`OWS` of RFC 9110 §5.6.3).
    static func trim(_ element: Substring.UTF8View) -> Substring.UTF8View {
        var rest = element
        while let first = rest.first, first.isBlank { rest.removeFirst() }
        while let last = rest.last, last.isBlank { rest.removeLast() }
        return rest
    }
}
