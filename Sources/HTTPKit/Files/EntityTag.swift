/// An entity tag (RFC 9110 §8.8.3).
public struct EntityTag: Sendable, Hashable, CustomStringConvertible {
    /// What stands between the quotes.
    public let opaque: String
    /// Whether the tag is a weak validator.
    public let isWeak: Bool

    /// A tag of our own making; the text must consist of etagc, which hexadecimal digits and dashes do.
    init(opaque: String, isWeak: Bool) {
        self.opaque = opaque
        self.isWeak = isWeak
    }

    /// The tag as a field value.
    public var description: String { isWeak ? "W/\"\(opaque)\"" : "\"\(opaque)\"" }

    /// Strong comparison: neither is weak and both are the same (§8.8.3.2).
    public func stronglyMatches(_ other: EntityTag) -> Bool {
        !isWeak && !other.isWeak && opaque == other.opaque
    }

    /// Weak comparison: both are the same, weak or not (§8.8.3.2).
    public func weaklyMatches(_ other: EntityTag) -> Bool {
        opaque == other.opaque
    }
}

/// The value of If-Match or If-None-Match (RFC 9110 §13.1.1, §13.1.2): `*` or a list of tags.
package enum EntityTagList: Sendable, Equatable {
    /// `*`: any current representation.
    case any
    /// The tags listed.
    case tags([EntityTag])

    /// How many tags are read; a longer list matches by its first ones.
    package static let maximumTags = 100

    /// Reads the field. A list ends where it stops being one: what was read before that counts.
    package init(parsing field: String) {
        var scanner = FieldScanner(field)
        scanner.skipBlanks()
        if scanner.take(UInt8(ascii: "*")) {
            scanner.skipBlanks()
            self = scanner.isAtEnd ? .any : .tags([])
            return
        }
        var tags: [EntityTag] = []
        while !scanner.isAtEnd, tags.count < EntityTagList.maximumTags {
            scanner.skipBlanks()
            if scanner.take(UInt8(ascii: ",")) { continue }
            guard let tag = scanner.entityTag() else { break }
            tags.append(tag)
            scanner.skipBlanks()
            guard scanner.isAtEnd || scanner.peek == UInt8(ascii: ",") else { break }
        }
        self = .tags(tags)
    }
}

extension FieldScanner {
    /// `[ "W/" ] DQUOTE *etagc DQUOTE`; the `W` is case-sensitive and nothing is escaped.
    mutating func entityTag() -> EntityTag? {
        let isWeak = take(UInt8(ascii: "W"))
        if isWeak { guard take(UInt8(ascii: "/")) else { return nil } }
        guard take(UInt8(ascii: "\"")) else { return nil }
        let opaque = run { $0 == 0x21 || ($0 >= 0x23 && $0 != 0x7F) }
        guard take(UInt8(ascii: "\"")) else { return nil }
        return EntityTag(opaque: opaque, isWeak: isWeak)
    }
}
