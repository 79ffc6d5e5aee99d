/// The plain segments behind one node: a run of edges, and for many of them a hash table.
struct StaticChildren: Sendable {
    var firstEdge: Int32 = 0
    var edgeCount: Int32 = 0
    var firstSlot: Int32 = 0
    /// A power of two less one; 0 when the edges are few and looked through one by one.
    var slotMask: Int32 = 0
}

/// The plain segments of all routes in three flat arrays.
struct StaticLiterals: Sendable {
    private struct Edge: Sendable {
        let offset: Int32
        let length: Int32
        let child: Int32
    }

    /// Up to here comparing lengths one by one is faster than hashing.
    private static let maxLinear = 8

    private var pool: [UInt8] = []
    private var edges: [Edge] = []
    private var slots: [Int32] = []

    /// Adds the children of one node.
    mutating func add(_ children: [(literal: [UInt8], child: Int32)]) -> StaticChildren {
        var result = StaticChildren()
        result.firstEdge = Int32(edges.count)
        result.edgeCount = Int32(children.count)
        for (literal, child) in children {
            edges.append(Edge(offset: Int32(pool.count), length: Int32(literal.count), child: child))
            pool.append(contentsOf: literal)
        }
        guard children.count > Self.maxLinear else { return result }
        var capacity = 32
        while capacity < children.count * 2 { capacity *= 2 }
        result.firstSlot = Int32(slots.count)
        result.slotMask = Int32(capacity - 1)
        slots.append(contentsOf: repeatElement(-1, count: capacity))
        for (index, entry) in children.enumerated() {
            var slot = Self.hash(entry.literal.span, 0..<entry.literal.count) & (capacity - 1)
            while slots[Int(result.firstSlot) + slot] >= 0 { slot = (slot + 1) & (capacity - 1) }
            slots[Int(result.firstSlot) + slot] = result.firstEdge + Int32(index)
        }
        return result
    }

    /// The node behind the raw segment, or -1. A segment with an escape is decoded first, once; its escapes have
    /// been found to be valid.
    @inline(__always)
    func child(
        _ children: StaticChildren, _ bytes: borrowing Span<UInt8>, _ segment: Range<Int>, mayBeEscaped: Bool
    ) -> Int32 {
        if children.edgeCount == 0 { return -1 }
        if mayBeEscaped, segment.contains(where: { bytes[$0] == UInt8(ascii: "%") }) {
            guard let decoded = try? PercentCoding.decode(bytes.extracting(segment)) else { return -1 }
            return plainChild(children, decoded.span, 0..<decoded.count)
        }
        return plainChild(children, bytes, segment)
    }

    @inline(__always)
    private func plainChild(
        _ children: StaticChildren, _ bytes: borrowing Span<UInt8>, _ segment: Range<Int>
    ) -> Int32 {
        if children.slotMask == 0 {
            var index = Int(children.firstEdge)
            let end = index &+ Int(children.edgeCount)
            while index < end {
                if matches(edges[index], bytes, segment) { return edges[index].child }
                index &+= 1
            }
            return -1
        }
        let mask = Int(children.slotMask)
        var slot = Self.hash(bytes, segment) & mask
        while true {
            let index = slots[Int(children.firstSlot) &+ slot]
            if index < 0 { return -1 }
            if matches(edges[Int(index)], bytes, segment) { return edges[Int(index)].child }
            slot = (slot &+ 1) & mask
        }
    }

    @inline(__always)
    private func matches(_ edge: Edge, _ bytes: borrowing Span<UInt8>, _ segment: Range<Int>) -> Bool {
        guard Int(edge.length) == segment.count else { return false }
        var place = Int(edge.offset)
        var index = segment.lowerBound
        while index < segment.upperBound {
            if pool[place] != bytes[index] { return false }
            place &+= 1
            index &+= 1
        }
        return true
    }

    /// FNV-1a, its high half folded in. Only declared literals are in the tables, so nobody outside can fill a
    /// bucket.
    @inline(__always)
    private static func hash(_ bytes: borrowing Span<UInt8>, _ segment: Range<Int>) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var index = segment.lowerBound
        while index < segment.upperBound {
            hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3
            index &+= 1
        }
        return Int(truncatingIfNeeded: hash ^ (hash &>> 32))
    }
}
