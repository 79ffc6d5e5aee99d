public import HTTPTypes

/// Why a path names no file that may be served.
public enum PathRefusal: ResponseError, Equatable {
    /// A bad escape (RFC 3986 §2.1).
    case coding(PercentCodingError)
    /// An octet that no file name can hold, NUL or another control character.
    case control
    /// A `.` or `..` segment, in whatever encoding (RFC 3986 §5.2.4, RFC 9110 §17.3).
    case dotSegment
    /// A slash or backslash that hides inside a segment.
    case separator
    /// Two slashes in a row.
    case emptySegment
    /// A segment that begins with a dot.
    case hidden
    /// A segment, or the path, is longer than any file's name.
    case tooLong(limit: Int, length: Int)

    /// 400 for what cannot be decoded, otherwise 404: whether a hidden file exists is not said.
    public var status: HTTPResponse.Status {
        switch self {
        case .coding, .control: .badRequest
        default: .notFound
        }
    }

    /// What is wrong with the path.
    public var message: String {
        switch self {
        case .coding(let error): "path: \(error.message)"
        case .control: "path: a control character is encoded in it"
        case .dotSegment: "path: it has a dot segment"
        case .separator: "path: a slash or backslash is encoded in a segment"
        case .emptySegment: "path: it has an empty segment"
        case .hidden: "path: a segment begins with a dot"
        case .tooLong(let limit, let length): "path: \(length) octets are more than \(limit)"
        }
    }
}

/// A decoded path below a folder: no segment is empty, a dot segment or hidden, and none holds a separator.
package struct SafePath: Sendable, Hashable {
    /// The decoded segments.
    package let segments: [String]
    /// Whether the path names a folder: it ends in a slash or is empty.
    package let isFolder: Bool

    /// The longest segment, NAME_MAX of Linux file systems.
    package static let maximumSegment = 255
    /// The longest path, in decoded octets; PATH_MAX holds the final NUL too.
    package static let maximumLength = 4000

    /// Reads the raw path below a mount, before percent-decoding and without its query.
    ///
    /// It is split first and each segment is then decoded once, so `%2F` is no separator and `%252e` is the text
    /// `%2e`.
    ///
    /// - Parameters:
    ///   - rawPath: The octets after the mount; one leading slash is not part of the first segment.
    ///   - allowsWellKnown: Whether `.well-known` (RFC 8615) may be the first segment, alone of the names with a
    ///     dot in front.
    package init(rawPath: Span<UInt8>, allowsWellKnown: Bool = false) throws(PathRefusal) {
        var segments: [String] = []
        var length = 0
        var start = rawPath.isEmpty || rawPath[0] != UInt8(ascii: "/") ? 0 : 1
        while start < rawPath.count {
            var end = start
            while end < rawPath.count, rawPath[end] != UInt8(ascii: "/") { end += 1 }
            let segment = try SafePath.segment(rawPath.extracting(start..<end))
            guard !segment.hasPrefix(".") || (allowsWellKnown && segments.isEmpty && segment == ".well-known")
            else {
                throw .hidden
            }
            length += segment.utf8.count + 1
            guard length <= SafePath.maximumLength else {
                throw .tooLong(limit: SafePath.maximumLength, length: length)
            }
            segments.append(segment)
            start = end + 1
        }
        self.segments = segments
        isFolder = rawPath.isEmpty || rawPath[rawPath.count - 1] == UInt8(ascii: "/")
    }

    private static func segment(_ raw: Span<UInt8>) throws(PathRefusal) -> String {
        let segment: String
        do {
            segment = try PercentCoding.decodeString(raw)
        } catch {
            throw .coding(error)
        }
        let octets = segment.utf8
        if octets.isEmpty { throw .emptySegment }
        if octets.contains(where: { $0 < 0x20 || $0 == 0x7F }) { throw .control }
        if octets.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
            throw .separator
        }
        if segment == "." || segment == ".." { throw .dotSegment }
        guard octets.count <= maximumSegment else {
            throw .tooLong(limit: maximumSegment, length: octets.count)
        }
        return segment
    }

    /// The path relative to the folder, for the file system; `.` for the folder itself.
    package var relativePath: String { segments.isEmpty ? "." : segments.joined(separator: "/") }

    /// The path encoded anew, without a slash in front or behind.
    package var encoded: String {
        segments.map { PercentCoding.encode($0, allowed: .pathSegment) }.joined(separator: "/")
    }
}
