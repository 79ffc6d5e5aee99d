public import HTTPTypes

/// What stands before a part's content (RFC 7578 §4).
public struct MultipartPartHead: Sendable, Hashable {
    /// The name of the form's field.
    public let name: String
    /// The last component of the file name that the client gave; `nil` when the part is not a file. It says
    /// nothing about where to store the content (RFC 7578 §4.2): it may be empty, and names a file that any
    /// client chose.
    public let filename: String?
    /// The Content-Type as it came; `text/plain` is meant where it is `nil` (RFC 7578 §4.4).
    public let contentType: String?
    /// All fields of the part, in order.
    public let fields: HTTPFields

    /// Reads the field lines of a part, each ended by CRLF.
    init(lines: [UInt8], part: Int) throws(MultipartError) {
        var fields = HTTPFields()
        var start = 0
        while start < lines.count {
            var end = start
            while end < lines.count, lines[end] != 0x0D { end += 1 }
            guard end + 1 < lines.count, lines[end + 1] == 0x0A else { throw .fieldLine(part: part) }
            guard let field = MultipartPartHead.field(lines[start..<end]) else {
                throw .fieldLine(part: part)
            }
            fields.append(field)
            start = end + 2
        }
        let dispositions = fields[values: .contentDisposition]
        guard dispositions.count == 1, let value = dispositions.first,
            let disposition = FormDisposition(parsing: value)
        else { throw .disposition(part: part) }
        name = disposition.name
        filename = disposition.filename
        contentType = fields[.contentType]
        self.fields = fields
    }

    /// A folded line starts with a blank, which no token does, so it is refused with the rest.
    private static func field(_ line: ArraySlice<UInt8>) -> HTTPField? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
            line[..<colon].allSatisfy(\.isTokenCharacter),
            let name = HTTPField.Name(String(decoding: line[..<colon], as: UTF8.self))
        else { return nil }
        var value = line[(colon + 1)...]
        while let first = value.first, first.isBlank { value.removeFirst() }
        while let last = value.last, last.isBlank { value.removeLast() }
        guard !value.contains(where: \.isForbiddenControl) else { return nil }
        return HTTPField(name: name, value: value)
    }
}

/// `form-data; name="…"; filename="…"` (RFC 7578 §4.2), as browsers write it and as others do.
struct FormDisposition {
    let name: String
    let filename: String?

    init?(parsing value: String) {
        var scanner = FieldScanner(value)
        guard scanner.token()?.lowercased() == "form-data" else { return nil }
        var name: String?
        var filename: String?
        while true {
            scanner.skipBlanks()
            if scanner.isAtEnd { break }
            guard scanner.take(UInt8(ascii: ";")) else { return nil }
            scanner.skipBlanks()
            guard let parameter = scanner.token()?.lowercased() else {
                if scanner.isAtEnd { break }
                return nil
            }
            guard scanner.take(UInt8(ascii: "=")), let text = FormDisposition.parameterValue(&scanner) else {
                return nil
            }
            switch parameter {
            case "name":
                guard name == nil else { return nil }
                name = FormDisposition.unescaped(text)
            case "filename":
                guard filename == nil else { return nil }
                filename = FormDisposition.lastComponent(FormDisposition.unescaped(text))
            default: break  // filename* among them: RFC 7578 §4.2 rules it out
            }
        }
        guard let name else { return nil }
        self.name = name
        self.filename = filename
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
                rest.removeFirst(3)
            } else {
                result.append(byte)
                rest.removeFirst()
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
