/// uri-host and port as they stand in Host and in an absolute target (RFC 9110 §7.2, RFC 3986 §3.2).
package enum Authority {
    /// Whether `text` is `uri-host [":" port]`, without userinfo.
    package static func isValid(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return isValid(bytes.span, 0..<bytes.count)
    }

    /// Whether `range` holds `uri-host [":" port]`, without userinfo; an http URI's host is never empty
    /// (RFC 9110 §4.2.1).
    package static func isValid(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        guard index < range.upperBound else { return false }
        if bytes[index] == 0x5B {
            guard let close = range.first(where: { bytes[$0] == 0x5D }), isIPLiteral(bytes, index + 1..<close)
            else {
                return false
            }
            index = close + 1
        } else {
            while index < range.upperBound, bytes[index] != 0x3A {
                if bytes[index] == 0x25 {
                    guard index + 2 < range.upperBound, bytes[index + 1].hexDigitValue != nil,
                        bytes[index + 2].hexDigitValue != nil
                    else { return false }
                    index += 2
                } else if !bytes[index].isHostCharacter {
                    return false
                }
                index += 1
            }
            if index == range.lowerBound { return false }
        }
        return index == range.upperBound || isPort(bytes, index..<range.upperBound)
    }

    /// `":" *DIGIT`, at most 65535 (RFC 3986 §3.2.3).
    private static func isPort(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard bytes[range.lowerBound] == 0x3A else { return false }
        var port = 0
        for index in range.dropFirst() {
            guard bytes[index].isDigit, port <= 65_535 else { return false }
            port = port * 10 + Int(bytes[index] &- 0x30)
        }
        return port <= 65_535
    }

    /// The characters of an IPv6 address or of an IPvFuture (RFC 3986 §3.2.2).
    private static func isIPLiteral(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let first = range.first else { return false }
        if bytes[first] | 0x20 == 0x76 {
            return range.dropFirst().allSatisfy { bytes[$0].isHostCharacter || bytes[$0] == 0x3A }
        }
        return isIPv6(bytes, range)
    }

    /// IPv6address (RFC 3986 §3.2.2): eight groups of one to four digits, of which one `::` may stand for any that
    /// are zero, and the last two may be an IPv4 address.
    private static func isIPv6(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        var groups = 0
        var isShortened = false
        var index = range.lowerBound
        while index < range.upperBound {
            var end = index
            while end < range.upperBound, bytes[end].hexDigitValue != nil { end += 1 }
            if end < range.upperBound, bytes[end] == 0x2E {
                guard isIPv4(bytes, index..<range.upperBound) else { return false }
                groups += 2
                break
            }
            if end > index {
                guard end - index <= 4 else { return false }
                groups += 1
                if end == range.upperBound { break }
            } else if index > range.lowerBound {
                return false
            }
            // A colon between two groups, or two in the place of some.
            guard bytes[end] == 0x3A else { return false }
            let isDouble = end + 1 < range.upperBound && bytes[end + 1] == 0x3A
            if isDouble {
                if isShortened { return false }
                isShortened = true
            } else if end == index || end + 1 == range.upperBound {
                return false
            }
            index = end + (isDouble ? 2 : 1)
        }
        return isShortened ? groups < 8 : groups == 8
    }

    /// Four numbers of at most 255, without zeros in front.
    private static func isIPv4(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) -> Bool {
        var numbers = 0
        var digits = 0
        var value = 0
        for index in range {
            if bytes[index].isDigit {
                guard digits == 0 || value > 0 else { return false }
                value = value * 10 + Int(bytes[index] &- 0x30)
                digits += 1
                guard value <= 255 else { return false }
            } else {
                guard bytes[index] == 0x2E, digits > 0, numbers < 3 else { return false }
                numbers += 1
                digits = 0
                value = 0
            }
        }
        return numbers == 3 && digits > 0
    }
}
