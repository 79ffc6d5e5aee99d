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
    /// The index of the first octet of `range` that stops the scan; its upper bound when none does.
    ///
    /// - Parameters:
    ///   - stops: the high bit of each of eight octets that stops it.
    ///   - isStop: the same of a single one, for the last few.
    @inline(__always)
    private func scan(
        _ range: Range<Int>, eight stops: (UInt64) -> UInt64, one isStop: (UInt8) -> Bool
    ) -> Int {
        var index = range.lowerBound
        // Safe: eight octets are loaded only where eight remain; what is found behind the range does not count.
        let found = withUnsafeBytes { bytes -> Int? in
            while index < range.upperBound, index &+ 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let stopped = stops(word)
                if stopped != 0 { return index &+ stopped.trailingZeroBitCount / 8 }
                index &+= 8
            }
            return nil
        }
        if let found { return Swift.min(found, range.upperBound) }
        while index < range.upperBound, !isStop(self[index]) { index &+= 1 }
        return Swift.min(index, range.upperBound)
    }

    /// The index of the first octet at or after `start` that no field value may hold (RFC 9110 §5.5):
    /// CR, LF, NUL, another control but HTAB, or DEL; `count` when there is none.
    @inline(__always)
    package func firstForbiddenControl(from start: Int) -> Int {
        scan(start..<count) { word in
            let seven = word & ~Octets.high
            // The sums are of seven bits each and stay within their octets, whose high bits then say what each is.
            let control = ~((seven &+ Octets.all(0x60)) | word)
            let delete = (seven &+ Octets.all(0x01)) & ~word
            return ((control & ~Octets.zeros(word ^ Octets.all(0x09))) | delete) & Octets.high
        } one: {
            $0.isForbiddenControl
        }
    }

    /// The index of the first octet at or after `start` that is no tchar (RFC 9110 §5.6.2); `count` when there is none.
    ///
    /// Letters, digits and hyphens, of which nearly all names are made, are looked at eight at a time.
    @inline(__always)
    package func endOfToken(from start: Int) -> Int {
        var index = start
        while true {
            index = scan(index..<count) { word in
                let seven = word & ~Octets.high
                let lower = seven | Octets.all(0x20)
                let letter = (lower &+ Octets.all(0x1F)) & ~(lower &+ Octets.all(0x05))
                let digit = (seven &+ Octets.all(0x50)) & ~(seven &+ Octets.all(0x46))
                let hyphen = Octets.zeros(word ^ Octets.all(0x2D))
                return (~(letter | digit | hyphen) | word) & Octets.high
            } one: {
                !$0.isTokenCharacter
            }
            // Another character may be one of the rarer ones.
            guard index < count, self[index].isTokenCharacter else { return index }
            index &+= 1
        }
    }

    /// The index of the first octet at or after `start` that no request target may hold: none but visible US-ASCII
    /// characters, and no `#` (RFC 3986 §3.5); `count` when there is none.
    @inline(__always)
    package func endOfTarget(from start: Int) -> Int {
        scan(start..<count) { word in
            let seven = word & ~Octets.high
            let visible = (seven &+ Octets.all(0x5F)) & ~(seven &+ Octets.all(0x01)) & ~word
            return (~visible & Octets.high) | Octets.zeros(word ^ Octets.all(0x23))
        } one: {
            !$0.isVisible || $0 == 0x23
        }
    }

    /// The index of the first `byte` of `range`; its upper bound when there is none.
    @inline(__always)
    package func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int {
        scan(range) {
            Octets.zeros($0 ^ Octets.all(byte))
        } one: {
            $0 == byte
        }
    }

    /// Whether `first` or `second` is in `range`.
    @inline(__always)
    package func contains(_ first: UInt8, or second: UInt8, in range: Range<Int>) -> Bool {
        scan(range) {
            Octets.zeros($0 ^ Octets.all(first)) | Octets.zeros($0 ^ Octets.all(second))
        } one: {
            $0 == first || $0 == second
        } < range.upperBound
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
