/// Validates UTF-8 as it arrives (RFC 6455 §8.1, RFC 3629 §4).
///
/// The first byte that cannot continue a valid sequence is detected at once, however the text is split into fragments
/// and reads. Overlong forms, surrogates and code points above U+10FFFF fail at their second byte at the latest.
package struct UTF8Validator: Sendable {
    /// How many bytes the current character still needs.
    private var missing: UInt8 = 0
    /// The range in which its next byte must be.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// Creates a validator for the start of a text.
    package init() {}

    /// Whether the text may end here: no character is unfinished.
    package var isComplete: Bool { missing == 0 }

    /// Whether `bytes` are a complete, valid text.
    package static func isValid(_ bytes: RawSpan) -> Bool {
        var validator = UTF8Validator()
        return validator.firstInvalid(in: bytes) == nil && validator.isComplete
    }

    /// Returns the offset of the first byte that cannot continue the text so far, or `nil` if there is none.
    package mutating func firstInvalid(in bytes: RawSpan) -> Int? {
        let count = bytes.byteCount
        var index = 0
        while index < count {
            if missing == 0 {
                // In scripts other than Latin the next character is rarely ASCII, so a scan is not worth its cost.
                if bytes.byte(at: index) < 0x80 { index = Mask.endOfASCII(bytes, from: index) }
                guard let next = firstNonASCII(bytes, from: index) else { return nil }
                index = next
                guard begin(bytes.byte(at: index)) else { return index }
                index &+= 1
            }
            while missing > 0, index < count {
                let byte = bytes.byte(at: index)
                guard byte >= lowest, byte <= highest else { return index }
                (lowest, highest) = (0x80, 0xBF)
                missing &-= 1
                index &+= 1
            }
        }
        return nil
    }

    @inline(__always)
    private func firstNonASCII(_ bytes: RawSpan, from start: Int) -> Int? {
        var index = start
        while index < bytes.byteCount {
            if bytes.byte(at: index) >= 0x80 { return index }
            index &+= 1
        }
        return nil
    }

    /// Starts a character: UTF8-2 to UTF8-4 of RFC 3629 §4. Returns `false` if `byte` cannot start one.
    @inline(__always)
    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
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
