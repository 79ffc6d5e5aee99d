public import HTTPTypes

/// What stands before a part's content (RFC 7578 §4).
public struct MultipartPartHead: Sendable, Hashable {
    /// The name of the form's field.
    public let name: String
    /// The last component of the file name that the client gave; `nil` when the part is not a file. It says
    /// nothing about where to store the content (RFC 7578 §4.2): it may be empty, and names a file that any
    /// client chose.
    ///
    /// A valid `filename*` (RFC 8187) wins over `filename`: RFC 7578 forbids it in forms, but clients send it. A part
    /// whose only name is an invalid `filename*` is a file without a name.
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
