import NIOCore

/// The files that were asked for lately, by the decoded path of the request. Bounded in memory and number; what was not
/// used since the hand last passed makes room (the clock algorithm).
///
/// Whoever takes a file from here looks whether it is still the same. Whether a precompressed sibling has appeared is
/// looked for once a second: an entry is fresh for the rest of the second in which it was made. Paths that lead to
/// nothing are not kept.
struct FileCache {
    enum Lookup {
        case fresh(FileResource)
        case stale(FileResource)
        case missing
    }

    private struct Slot {
        let key: ByteBuffer
        var resource: FileResource
        var cost: Int
        var checked: HTTPDate
        var wasUsed: Bool
    }

    /// Longer paths are not kept.
    private static let maximumKey = 1024

    private let maximumCost: Int
    private let maximumCount: Int
    private var slots: [Slot] = []
    private var positions: [ByteBuffer: Int] = [:]
    private var hand = 0
    /// The memory that is kept, in octets.
    private(set) var cost = 0

    init(maximumCost: Int, maximumCount: Int) {
        self.maximumCost = maximumCost
        self.maximumCount = maximumCount
    }

    var count: Int { slots.count }

    mutating func lookup(_ key: ByteBuffer, now: HTTPDate) -> Lookup {
        guard let position = positions[key] else { return .missing }
        slots[position].wasUsed = true
        // A clock that was set back makes an entry stale as well.
        return slots[position].checked == now
            ? .fresh(slots[position].resource) : .stale(slots[position].resource)
    }

    mutating func insert(_ resource: FileResource, for key: ByteBuffer, now: HTTPDate) {
        remove(key)
        let added = resource.cost + key.readableBytes
        guard key.readableBytes <= FileCache.maximumKey, added <= maximumCost / 4, maximumCount > 0 else {
            return
        }
        while !slots.isEmpty, slots.count >= maximumCount || cost + added > maximumCost { evict() }
        // The caller's buffer may be a slice of a request's head, which must not be kept.
        let copy = ByteBuffer(bytes: key.readableBytesView)
        positions[copy] = slots.count
        slots.append(Slot(key: copy, resource: resource, cost: added, checked: now, wasUsed: false))
        cost += added
    }

    mutating func remove(_ key: ByteBuffer) {
        guard let position = positions[key] else { return }
        remove(at: position)
    }

    private mutating func evict() {
        while true {
            if hand >= slots.count { hand = 0 }
            guard slots[hand].wasUsed else { break }
            slots[hand].wasUsed = false
            hand += 1
        }
        remove(at: hand)
    }

    /// The last slot takes the place of the one that goes.
    private mutating func remove(at position: Int) {
        positions[slots[position].key] = nil
        cost -= slots[position].cost
        let last = slots.removeLast()
        if position < slots.count {
            slots[position] = last
            positions[last.key] = position
        }
    }
}
