/// The field section of a connection's last head: a client mostly sends the same fields again, octet by octet, and
/// what was found in them holds as long as it does.
///
/// Nothing is kept for a connection of one request, nor for one whose fields change from each request to the next.
struct KnownFields: Sendable {
    private var octets: [UInt8] = []
    private(set) var slots: [FieldSlot] = []
    private var facts: FieldFacts?
    /// How many heads there were since the last one with these fields.
    private var misses = 0

    private static let maxSize = 2048
    private static let maxMisses = 4

    /// Whether the last head had these fields.
    var isMatched: Bool { facts != nil && misses == 0 }

    /// How many octets the section has, its empty line with it.
    var count: Int { octets.count }

    /// What is known of the fields behind `line`, when they are these.
    @inline(__always)
    mutating func match(_ span: borrowing Span<UInt8>, _ line: RequestLine) -> FieldFacts? {
        guard let facts, line.minorVersion == 1, span.equals(octets, from: line.end) else { return nil }
        misses = 0
        return facts
    }

    /// Keeps the fields of a head that did not match.
    mutating func remember(
        _ span: borrowing Span<UInt8>, _ line: RequestLine, end: Int, _ slots: [FieldSlot],
        _ facts: FieldFacts
    ) {
        guard misses <= Self.maxMisses else { return }
        misses += 1
        guard misses > 1, line.minorVersion == 1, end &- line.end <= Self.maxSize else { return }
        if misses > Self.maxMisses {
            self = KnownFields()
            misses = Self.maxMisses + 1
            return
        }
        octets.removeAll(keepingCapacity: true)
        octets.reserveCapacity(end &- line.end)
        for index in line.end..<end { octets.append(span[index]) }
        self.slots = slots
        self.facts = facts
    }
}

extension Span where Element == UInt8 {
    /// Whether `octets` stand at `start`.
    @inline(__always)
    fileprivate func equals(_ octets: [UInt8], from start: Int) -> Bool {
        guard count &- start >= octets.count else { return false }
        // Safe: as many octets as are compared are there on both sides.
        return withUnsafeBytes { bytes in
            octets.withUnsafeBytes { wanted in
                var index = 0
                while index &+ 8 <= wanted.count {
                    let word = wanted.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    if bytes.loadUnaligned(fromByteOffset: start &+ index, as: UInt64.self) != word {
                        return false
                    }
                    index &+= 8
                }
                while index < wanted.count {
                    if bytes[start &+ index] != wanted[index] { return false }
                    index &+= 1
                }
                return true
            }
        }
    }
}
