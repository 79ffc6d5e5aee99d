/// Why a route's path is not a pattern; every case names the pattern and the place.
///
/// The place is an offset in UTF-8 octets, counted from 0.
public enum PathPatternError: Error, Equatable, CustomStringConvertible {
    /// The pattern does not begin with `/`.
    case missingSlash(pattern: String)
    /// Two slashes in a row: no request segment between them would be told from a mistake.
    case emptySegment(pattern: String, at: Int)
    /// `{}` or `{...}`.
    case unnamedParameter(pattern: String, at: Int)
    /// Two parameters of the same name.
    case duplicateParameter(pattern: String, name: String, at: Int)
    /// `{rest...}` before the end of the pattern.
    case restNotLast(pattern: String, name: String, at: Int)
    /// A brace that is not around a whole segment, or a name of other characters than letters, digits, `_`, `-`.
    case malformedParameter(pattern: String, segment: String, at: Int)
    /// A literal with a control character, `?`, `#` or `%`: literals are written plain, not percent-encoded.
    case forbiddenCharacter(pattern: String, segment: String, at: Int)
    /// A `.` or `..` segment, which no request matches (RFC 3986 §5.2.4).
    case dotSegment(pattern: String, at: Int)

    /// What is wrong, where, and what is wanted.
    public var description: String {
        switch self {
        case .missingSlash(let pattern):
            "route \"\(pattern)\": a path begins with \"/\""
        case .emptySegment(let pattern, let at):
            "route \"\(pattern)\": an empty segment at offset \(at)"
        case .unnamedParameter(let pattern, let at):
            "route \"\(pattern)\": the parameter at offset \(at) has no name"
        case .duplicateParameter(let pattern, let name, let at):
            "route \"\(pattern)\": the parameter {\(name)} at offset \(at) is there twice"
        case .restNotLast(let pattern, let name, let at):
            "route \"\(pattern)\": {\(name)...} at offset \(at) is not the last segment"
        case .malformedParameter(let pattern, let segment, let at):
            "route \"\(pattern)\": \"\(segment)\" at offset \(at) is neither {name}, {name...} nor plain text"
        case .forbiddenCharacter(let pattern, let segment, let at):
            "route \"\(pattern)\": \"\(segment)\" has a control character, ?, # or % at offset \(at); "
                + "literals are written plain, not percent-encoded"
        case .dotSegment(let pattern, let at):
            "route \"\(pattern)\": a dot segment at offset \(at) would never match"
        }
    }
}

/// The path of a route: `/files/{folder}/{rest...}`.
///
/// Between slashes stands plain text, which is compared with the percent-decoded segment of a request, case and
/// all; `{name}`, which matches one segment that is not empty; or, at the end, `{name...}`, which matches
/// whatever remains behind its slash, nothing included: `/files/{rest...}` matches `/files/a/b` and `/files/`,
/// not `/files`. A slash at the end counts: `/a` and `/a/` are two patterns.
public struct PathPattern: Sendable, Hashable, CustomStringConvertible {
    /// One segment of a pattern.
    package enum Segment: Sendable, Hashable {
        case literal([UInt8])
        case parameter(String)
        case rest(String)
    }

    /// One object, so that a request can carry its pattern for the price of one reference.
    private final class Storage: Sendable {
        let text: String
        let segments: [Segment]
        let names: [String]
        /// The name of `{rest...}` at the end, if there is one.
        let rest: String?

        init(text: String, segments: [Segment], names: [String]) {
            self.text = text
            self.segments = segments
            self.names = names
            rest = if case .rest(let name)? = segments.last { name } else { nil }
        }
    }

    private let storage: Storage

    /// The pattern `/`.
    public static let root = PathPattern(
        storage: Storage(text: "/", segments: [.literal([])], names: []))

    private init(storage: Storage) {
        self.storage = storage
    }

    /// Whether that is the name of the pattern's `{rest...}`.
    func isRest(_ name: String) -> Bool { storage.rest == name }

    /// Reads a pattern.
    /// - Throws: `PathPatternError` naming the pattern and the place.
    public init(_ text: String) throws(PathPatternError) {
        guard text.utf8.first == UInt8(ascii: "/") else { throw .missingSlash(pattern: text) }
        var segments: [Segment] = []
        var names: [String] = []
        let parts = text.utf8.dropFirst().split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        var offset = 1
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            let segment = try Self.segment(Array(part), isLast: isLast, pattern: text, at: offset)
            switch segment {
            case .literal: break
            case .parameter(let name), .rest(let name):
                if names.contains(name) { throw .duplicateParameter(pattern: text, name: name, at: offset) }
                if case .rest = segment, !isLast { throw .restNotLast(pattern: text, name: name, at: offset) }
                names.append(name)
            }
            segments.append(segment)
            offset += part.count + 1
        }
        storage = Storage(text: text, segments: segments, names: names)
    }

    private static func segment(
        _ bytes: [UInt8], isLast: Bool, pattern: String, at offset: Int
    ) throws(PathPatternError) -> Segment {
        if bytes.isEmpty {
            guard isLast else { throw .emptySegment(pattern: pattern, at: offset) }
            return .literal([])
        }
        if DotSegments.isDot(bytes.span, 0..<bytes.count) { throw .dotSegment(pattern: pattern, at: offset) }
        let text = String(decoding: bytes, as: UTF8.self)
        if bytes.contains(UInt8(ascii: "{")) || bytes.contains(UInt8(ascii: "}")) {
            guard bytes.count >= 2, bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else {
                throw .malformedParameter(pattern: pattern, segment: text, at: offset)
            }
            let isRest = text.hasSuffix("...}")
            let name = bytes.dropFirst().dropLast(isRest ? 4 : 1)
            if name.isEmpty { throw .unnamedParameter(pattern: pattern, at: offset) }
            guard
                name.allSatisfy({
                    $0.isAlpha || $0.isDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
                })
            else { throw .malformedParameter(pattern: pattern, segment: text, at: offset) }
            let parameter = String(decoding: name, as: UTF8.self)
            return isRest ? .rest(parameter) : .parameter(parameter)
        }
        if let bad = bytes.firstIndex(where: { $0 < 0x20 || $0 == 0x7F || forbiddenInLiterals.contains($0) })
        {
            throw .forbiddenCharacter(pattern: pattern, segment: text, at: offset + bad)
        }
        return .literal(bytes)
    }

    private static let forbiddenInLiterals = ByteSet("?#%")

    /// A path below a prefix: exactly one slash stands between them, whichever has it.
    ///
    /// `/`, or an empty path, below `/api` is `/api`, so that a group's own page needs no slash at its end. The result is
    /// empty when both are empty or `/`.
    package static func join(_ prefix: String, _ path: String) -> String {
        // By bytes: a combining character may stand behind the slash.
        let slash = UInt8(ascii: "/")
        let prefix = prefix.utf8.last == slash ? Substring(prefix.utf8.dropLast()) : prefix[...]
        let path = path.utf8.first == slash ? Substring(path.utf8.dropFirst()) : path[...]
        return path.isEmpty ? String(prefix) : "\(prefix)/\(path)"
    }

    /// The pattern of `other` below this one, as groups join them: exactly one slash between them, whichever has it.
    ///
    /// `/` below `/api` is `/api`, so that a group's own page needs no slash at its end.
    /// - Throws: `PathPatternError` when both have a parameter of the same name, or this one ends in `{rest...}`.
    public func appending(_ other: PathPattern) throws(PathPatternError) -> PathPattern {
        let joined = Self.join(text, other.text)
        return joined.isEmpty ? .root : try PathPattern(joined)
    }

    /// The pattern as it was written, for logs and errors.
    public var text: String { storage.text }

    /// The names of its parameters, in order.
    public var parameterNames: [String] { storage.names }

    package var segments: [Segment] { storage.segments }

    /// The pattern as it was written.
    public var description: String { storage.text }

    /// Two patterns are equal when they are written alike.
    public static func == (one: PathPattern, other: PathPattern) -> Bool {
        one.storage === other.storage || one.text == other.text
    }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(text)
    }
}
