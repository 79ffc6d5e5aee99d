/// Whether octets are UTF-8, judged as they arrive (RFC 6455 §8.1, RFC 3629 §4).
///
/// The first octet that cannot continue a valid sequence is found at once, wherever messages, fragments or
/// reads are cut: overlong forms, surrogates and what lies above U+10FFFF fail at their second octet.
package struct UTF8Validator: Sendable {
    /// How many octets the current character still needs.
    private var missing: UInt8 = 0
    /// The range its next octet must be in.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// A validator at the start of a text.
    package init() {}

    /// The text may end here: no character is unfinished.
    package var isComplete: Bool { missing == 0 }

    /// Whether `octets` are a whole text.
    package static func isValid(_ octets: RawSpan) -> Bool {
        var validator = UTF8Validator()
        return validator.firstInvalid(in: octets) == nil && validator.isComplete
    }

    /// The offset of the first octet that cannot continue the text so far; nil when all can.
    package mutating func firstInvalid(in octets: RawSpan) -> Int? {
        let count = octets.byteCount
        var index = 0
        while index < count {
            if missing == 0 {
                // In other scripts than Latin the next character is seldom ASCII: no scan is started for it.
                if octets.octet(at: index) < 0x80 { index = Mask.endOfASCII(octets, from: index) }
                guard let next = firstNonASCII(octets, from: index) else { return nil }
                index = next
                guard begin(octets.octet(at: index)) else { return index }
                index &+= 1
            }
            while missing > 0, index < count {
                let octet = octets.octet(at: index)
                guard octet >= lowest, octet <= highest else { return index }
                (lowest, highest) = (0x80, 0xBF)
                missing &-= 1
                index &+= 1
            }
        }
        return nil
    }

    @inline(__always)
    private func firstNonASCII(_ octets: RawSpan, from start: Int) -> Int? {
        var index = start
        while index < octets.byteCount {
            if octets.octet(at: index) >= 0x80 { return index }
            index &+= 1
        }
        return nil
    }

    /// UTF8-1 to UTF8-4 of RFC 3629 §4 by their first octet.
    @inline(__always)
    private mutating func begin(_ octet: UInt8) -> Bool {
        switch octet {
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lowest) = (2, 0xA0)
        case 0xE1...0xEC, 0xEE...0xEF: missing = 2
        case 0xED: (missing, highest) = (2, 0x9F)
        case 0xF0: (missing, lowest) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, highest) = (3, 0x8F)
        default: return false
        }
        return true
    }
}
