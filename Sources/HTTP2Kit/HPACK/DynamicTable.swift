import DequeModule

/// The dynamic table of a decoder (RFC 7541 §2.3.2, §4).
struct DynamicTable {
    /// A field: its name, and its value behind it.
    struct Entry {
        let bytes: [UInt8]
        let nameLength: Int

        /// What the entry counts (RFC 7541 §4.1).
        var size: Int { bytes.count + DynamicTable.overhead }
    }

    /// What each entry counts beside its bytes (RFC 7541 §4.1).
    static let overhead = 32

    private var entries = Deque<Entry>()
    private var size = 0
    /// The size that the entries may have together.
    private(set) var maxSize: Int
    /// How often the table has changed.
    private(set) var changes = 0

    init(maxSize: Int) { self.maxSize = maxSize }

    var count: Int { entries.count }

    /// The entry that many places behind the newest one, which is 0.
    subscript(index: Int) -> Entry? { entries.indices.contains(index) ? entries[index] : nil }

    /// Adds a field as the newest. One that is larger than the table empties it (RFC 7541 §4.4).
    mutating func insert(_ entry: Entry) {
        changes &+= 1
        guard entry.size <= maxSize else {
            entries.removeAll()
            size = 0
            return
        }
        evict(to: maxSize - entry.size)
        entries.prepend(entry)
        size += entry.size
    }

    /// Changes the largest size (RFC 7541 §4.3).
    mutating func resize(to maxSize: Int) {
        changes &+= 1
        self.maxSize = maxSize
        evict(to: maxSize)
    }

    private mutating func evict(to limit: Int) {
        while size > limit, let last = entries.popLast() { size -= last.size }
    }
}
