/// The octet classes of the HTTP grammar (RFC 9110 §5.6.2, §5.5; RFC 3986 §2, §3.2.2), by their RFC names.
///
/// A class of ASCII octets is two 64-bit sets, so a test is a shift and a mask and touches no memory.
package struct ByteSet: Sendable {
    let low: UInt64
    let high: UInt64

    /// The set of the ASCII characters of `characters`; others are ignored.
    package init(_ characters: StaticString) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        characters.withUTF8Buffer { bytes in
            for byte in bytes {
                if byte < 64 {
                    low |= 1 << UInt64(byte)
                } else if byte < 128 {
                    high |= 1 << UInt64(byte - 64)
                }
            }
        }
        self.low = low
        self.high = high
    }

    @inline(__always)
    init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// Whether the octet is in the set.
    @inline(__always)
    package func contains(_ byte: UInt8) -> Bool {
        let word = byte < 64 ? low : high
        return byte < 128 && (word &>> UInt64(byte & 63)) & 1 == 1
    }
}

extension UInt8 {
    /// tchar (RFC 9110 §5.6.2): ``!#$%&'*+-.^_`|~``, digits, letters.
    @inline(__always)
    package var isTokenCharacter: Bool {
        ByteSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE).contains(self)
    }

    /// VCHAR (RFC 5234 B.1): a visible US-ASCII character.
    @inline(__always)
    package var isVisible: Bool { self &- 0x21 < 0x5E }

    /// DIGIT (RFC 5234 B.1).
    @inline(__always)
    package var isDigit: Bool { self &- 0x30 < 10 }

    /// ALPHA (RFC 5234 B.1).
    @inline(__always)
    package var isAlpha: Bool { (self | 0x20) &- 0x61 < 26 }

    /// The value of a HEXDIG (RFC 5234 B.1, either case), or `nil`.
    @inline(__always)
    package var hexDigitValue: UInt8? {
        if isDigit { return self &- 0x30 }
        let letter = (self | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    /// SP or HTAB, the characters of OWS (RFC 9110 §5.6.3).
    @inline(__always)
    package var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// CTL that no field value and no target may hold: everything under SP but HTAB, and DEL.
    @inline(__always)
    package var isForbiddenControl: Bool { (self < 0x20 && self != 0x09) || self == 0x7F }

    /// unreserved (RFC 3986 §2.3). The grammar would let a reg-name hold sub-delims too; no name that is registered
    /// anywhere does, and peers differ in where they see its end then.
    @inline(__always)
    package var isHostCharacter: Bool {
        ByteSet(low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE).contains(self)
    }

    /// The ASCII lower case of a letter; any other octet unchanged.
    @inline(__always)
    package var asciiLowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

/// Eight octets in one word.
enum Octets {
    /// The high bit of each.
    @inline(__always)
    static var high: UInt64 { 0x8080_8080_8080_8080 }

    /// Eight times the same.
    @inline(__always)
    static func all(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }

    /// The high bit of each octet that is 0, and nothing else: no carry leaves an octet.
    @inline(__always)
    static func zeros(_ word: UInt64) -> UInt64 { ~(((word & ~high) &+ ~high) | word) & high }
}

extension Span where Element == UInt8 {
    /// The index of the first octet at or after `start` that no field value may hold (RFC 9110 §5.5):
    /// CR, LF, NUL, another control but HTAB, or DEL; `count` when there is none.
    @inline(__always)
    package func firstForbiddenControl(from start: Int) -> Int {
        var index = start
        let high: UInt64 = 0x8080_8080_8080_8080
        // Safe: eight octets are loaded only where eight remain. Each sum stays within its octet, so the high
        // bit of an octet says whether that octet is forbidden, and nothing about its neighbours.
        let found = withUnsafeBytes { bytes -> Int? in
            while index &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let seven = word & ~high
                let control = ~((seven &+ 0x6060_6060_6060_6060) | word)
                let tab = ~(((seven ^ 0x0909_0909_0909_0909) &+ ~high) | word)
                let delete = ((seven &+ 0x0101_0101_0101_0101)) & ~word
                let forbidden = ((control & ~tab) | delete) & high
                if forbidden != 0 { return index &+ forbidden.trailingZeroBitCount / 8 }
                index &+= 8
            }
            return nil
        }
        if let found { return found }
        while index < count, !self[index].isForbiddenControl { index &+= 1 }
        return index
    }

    /// The index of the first octet at or after `start` that is no tchar (RFC 9110 §5.6.2); `count` when there is none.
    ///
    /// Letters, digits and hyphens, of which nearly all names are made, are looked at eight at a time: 2 instructions
    /// an octet instead of 10.
    @inline(__always)
    package func endOfToken(from start: Int) -> Int {
        var index = start
        let high: UInt64 = 0x8080_8080_8080_8080
        // Safe: eight octets are loaded only where eight remain. The sums are of seven bits each and stay within
        // their octets, whose high bits then say what each of them is.
        withUnsafeBytes { bytes in
            while index &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let seven = word & ~high
                let lower = seven | 0x2020_2020_2020_2020
                let letter = (lower &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(lower &+ 0x0505_0505_0505_0505)
                let digit = (seven &+ 0x5050_5050_5050_5050) & ~(seven &+ 0x4646_4646_4646_4646)
                let hyphen = ~((seven ^ 0x2D2D_2D2D_2D2D_2D2D) &+ ~high)
                let other = (~(letter | digit | hyphen) | word) & high
                index &+= other == 0 ? 8 : other.trailingZeroBitCount / 8
                if other != 0 { return }
            }
        }
        while index < count, self[index].isTokenCharacter { index &+= 1 }
        return index
    }

    /// The index of the first octet at or after `start` that no request target may hold: none but visible US-ASCII
    /// characters, and no `#` (RFC 3986 §3.5); `count` when there is none.
    @inline(__always)
    package func endOfTarget(from start: Int) -> Int {
        var index = start
        // Safe: eight octets are loaded only where eight remain.
        withUnsafeBytes { bytes in
            while index &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let seven = word & ~Octets.high
                let visible =
                    (seven &+ 0x5F5F_5F5F_5F5F_5F5F) & ~(seven &+ 0x0101_0101_0101_0101) & ~word & Octets.high
                let other = (visible ^ Octets.high) | Octets.zeros(word ^ Octets.all(0x23))
                index &+= other == 0 ? 8 : other.trailingZeroBitCount / 8
                if other != 0 { return }
            }
        }
        while index < count, self[index].isVisible, self[index] != 0x23 { index &+= 1 }
        return index
    }

    /// The index of the first octet of `range` that is `first` or `second`; its upper bound when there is none.
    @inline(__always)
    package func firstIndex(of first: UInt8, or second: UInt8, in range: Range<Int>) -> Int {
        let (end, firsts, seconds) = (range.upperBound, Octets.all(first), Octets.all(second))
        var index = range.lowerBound
        // Safe: eight octets are loaded only where eight remain; what is found behind the range does not count.
        let found = withUnsafeBytes { bytes -> Int? in
            while index < end, index &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let hits = Octets.zeros(word ^ firsts) | Octets.zeros(word ^ seconds)
                if hits != 0 { return Swift.min(end, index &+ hits.trailingZeroBitCount / 8) }
                index &+= 8
            }
            return nil
        }
        if let found { return found }
        while index < end, self[index] != first, self[index] != second { index &+= 1 }
        return Swift.min(index, end)
    }

    /// Whether the eight octets of `text` stand at `index`, with regard to case.
    @inline(__always)
    package func hasEight(_ text: UInt64, at index: Int) -> Bool {
        guard index >= 0, index &+ 8 <= count else { return false }
        // Safe: eight octets are there.
        return withUnsafeBytes {
            UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: index, as: UInt64.self)) == text
        }
    }

    /// Whether the octets of `range` equal `name`, which is given in lower case, without regard to case.
    @inline(__always)
    package func equalsIgnoringCase(_ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        var index = 0
        while index < range.count {
            if self[range.lowerBound &+ index].asciiLowercased != name.utf8Start[index] { return false }
            index &+= 1
        }
        return true
    }
}
