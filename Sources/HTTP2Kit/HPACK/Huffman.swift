/// Decodes strings in the Huffman code of HPACK (RFC 7541 §5.2).
///
/// Eight bits are looked up at a time. An entry of the table is a byte and the length of its code, or another table for
/// what follows.
struct Huffman: Sendable {
    /// The table that all connections share.
    static let shared = Huffman()

    /// Nodes of 256 entries each. An entry is `symbol | length << 16`, or `isNode | node`.
    private var entries: [UInt32]

    private static let isNode: UInt32 = 1 << 31

    private init() {
        entries = Array(repeating: 0, count: 256)
        for (symbol, code) in HuffmanCode.codes.enumerated() {
            add(UInt32(symbol), bits: code.bits, length: Int(code.length))
        }
    }

    private mutating func add(_ symbol: UInt32, bits: UInt32, length: Int) {
        var node = 0
        var left = length
        while left > 8 {
            let place = node * 256 + Int((bits >> UInt32(left - 8)) & 0xFF)
            if entries[place] == 0 {
                entries[place] = Self.isNode | UInt32(entries.count / 256)
                entries.append(contentsOf: repeatElement(0, count: 256))
            }
            node = Int(entries[place] & ~Self.isNode)
            left -= 8
        }
        let first = node * 256 + Int((bits << UInt32(8 - left)) & 0xFF)
        for place in first..<first + (1 << (8 - left)) { entries[place] = symbol | UInt32(left) << 16 }
    }

    /// How many bytes a string of `count` bytes can become at most: the shortest code has 5 bits.
    @inline(__always)
    static func maxDecodedCount(_ count: Int) -> Int { count &* 8 / 5 &+ 1 }

    /// Decodes `input` and appends the bytes to `output`, which has room for them.
    ///
    /// - Returns: `false` if the string holds EOS or is not padded with its first bits, fewer than eight of them.
    func decode(_ input: borrowing Span<UInt8>, into output: inout OutputRawSpan) -> Bool {
        var bits: UInt64 = 0
        var count = 0
        var node = 0
        var index = 0
        while true {
            while count <= 48, index < input.count {
                bits = bits << 8 | UInt64(input[index])
                count &+= 8
                index &+= 1
            }
            guard count >= 8 else { break }
            let entry = entries[node &* 256 &+ Int((bits >> UInt64(count &- 8)) & 0xFF)]
            if entry & Self.isNode != 0 {
                node = Int(entry & ~Self.isNode)
                count &-= 8
                continue
            }
            guard take(entry, &count, &output) else { return false }
            node = 0
        }
        // Fewer than eight bits are left: the end of the last code, and padding.
        while count > 0 {
            let padded = (bits << UInt64(8 &- count)) | (0xFF >> UInt64(count))
            let entry = entries[node &* 256 &+ Int(padded & 0xFF)]
            guard entry & Self.isNode == 0, Int(entry >> 16) <= count else { break }
            guard take(entry, &count, &output) else { return false }
            node = 0
        }
        // A code that has begun with eight bits or more is no padding.
        let ones = (UInt64(1) << UInt64(count)) &- 1
        return node == 0 && bits & ones == ones
    }

    /// Appends the symbol of `entry`; `false` for EOS.
    @inline(__always)
    private func take(_ entry: UInt32, _ count: inout Int, _ output: inout OutputRawSpan) -> Bool {
        let symbol = entry & 0xFFFF
        count &-= Int(entry >> 16)
        guard symbol < UInt32(HuffmanCode.endOfString) else { return false }
        output.append(UInt8(truncatingIfNeeded: symbol), as: UInt8.self)
        return true
    }
}
