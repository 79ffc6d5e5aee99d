/// `form-data; name="…"; filename="…"` (RFC 7578 §4.2), as browsers write it and as others do.
struct FormDisposition {
    let name: String
    let filename: String?

    init?(parsing value: String) {
        var scanner = FieldScanner(value)
        guard scanner.token()?.lowercased() == "form-data" else { return nil }
        var found: [String: String] = [:]
        while true {
            scanner.skipBlanks()
            if scanner.isAtEnd { break }
            guard scanner.take(UInt8(ascii: ";")) else { return nil }
            scanner.skipBlanks()
            guard let parameter = scanner.token()?.lowercased() else {
                if scanner.isAtEnd { break }
                return nil
            }
            scanner.skipBlanks()
            guard scanner.take(UInt8(ascii: "=")) else { return nil }
            scanner.skipBlanks()
            guard let text = FormDisposition.parameterValue(&scanner) else { return nil }
            guard Self.known.contains(parameter) else { continue }
            guard found.updateValue(text, forKey: parameter) == nil else { return nil }
        }
        guard let name = found["name"] else { return nil }
        self.name = FormDisposition.unescaped(name)
        filename = Self.filename(found["filename"], extended: found["filename*"])
    }

    /// The parameters that are read, and of which there may be only one.
    private static let known: Set<String> = ["name", "filename", "filename*"]

    /// The name of the file by both parameters. A malformed `filename*` is ignored (RFC 6266 §4.3), but says that the
    /// part is a file.
    private static func filename(_ plain: String?, extended: String?) -> String? {
        if let name = extended.flatMap(ExtendedValue.decode) { return lastComponent(name) }
        if let plain { return lastComponent(unescaped(plain)) }
        return extended == nil ? nil : ""
    }

    /// A token, or a quoted string in which a backslash escapes only a quote or a backslash: some clients send
    /// `C:\path\file` as it is.
    private static func parameterValue(_ scanner: inout FieldScanner) -> String? {
        guard scanner.take(UInt8(ascii: "\"")) else {
            return scanner.run { $0 != UInt8(ascii: ";") && !$0.isBlank && $0 != UInt8(ascii: "\"") }
        }
        var text: [UInt8] = []
        while let byte = scanner.peek {
            _ = scanner.take(byte)
            if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
            if byte == UInt8(ascii: "\\"), let next = scanner.peek,
                next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\")
            {
                _ = scanner.take(next)
                text.append(next)
            } else {
                text.append(byte)
            }
        }
        return nil
    }

    /// Browsers write `"` as `%22`, CR as `%0D` and LF as `%0A`, and nothing else (WHATWG HTML, multipart form
    /// data), so nothing else is undone.
    private static func unescaped(_ text: String) -> String {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            if let (character, _) = escapes.first(where: { rest.starts(with: $0.code) }) {
                result.append(character)
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static let escapes: [(character: UInt8, code: [UInt8])] = [
        (0x22, Array("%22".utf8)), (0x0D, Array("%0D".utf8)), (0x0A, Array("%0A".utf8)),
    ]

    /// What follows the last slash or backslash, without control characters; a name of dots alone is no name.
    private static func lastComponent(_ text: String) -> String {
        let octets =
            text.utf8.split(
                separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
            ).last ?? text.utf8[...]
        let last =
            octets.split(separator: UInt8(ascii: "\\"), omittingEmptySubsequences: false).last ?? octets
        let name = last.filter { $0 >= 0x20 && $0 != 0x7F }
        if name.elementsEqual([0x2E]) || name.elementsEqual([0x2E, 0x2E]) { return "" }
        return String(decoding: name, as: UTF8.self)
    }
}
