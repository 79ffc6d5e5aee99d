/// Dot segments, plain or percent-encoded (RFC 3986 §3.3, §5.2.4): clients remove them before they send, so one
/// that arrives is a mistake or an attack.
package enum DotSegments {
    /// Whether the raw, still percent-encoded path has a segment that decodes to `.` or `..`.
    package static func contains(_ bytes: borrowing Span<UInt8>, in path: Range<Int>) -> Bool {
        var start = path.lowerBound
        while start < path.upperBound {
            var end = start
            while end < path.upperBound, bytes[end] != UInt8(ascii: "/") { end &+= 1 }
            if isDot(bytes, start..<end) { return true }
            start = end &+ 1
        }
        return false
    }

    /// Whether the raw path has a segment that decodes to `.` or `..`.
    package static func contains(_ path: String) -> Bool {
        let bytes = path.utf8.span
        return contains(bytes, in: 0..<bytes.count)
    }

    /// Whether a decoded text has no `.` or `..` between slashes or backslashes.
    static func isSafe(_ text: String) -> Bool {
        text.utf8.split(omittingEmptySubsequences: true) {
            $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\")
        }
        .allSatisfy { $0.count > 2 || !$0.allSatisfy { $0 == UInt8(ascii: ".") } }
    }

    /// Whether the raw segment decodes to `.` or `..`: `.`, `%2E` and `%2e` are the same octet.
    @inline(__always)
    package static func isDot(_ bytes: borrowing Span<UInt8>, _ segment: Range<Int>) -> Bool {
        guard !segment.isEmpty, segment.count <= 6 else { return false }
        var index = segment.lowerBound
        var dots = 0
        while index < segment.upperBound {
            if bytes[index] == UInt8(ascii: ".") {
                index &+= 1
            } else if segment.upperBound &- index >= 3, bytes[index] == UInt8(ascii: "%"),
                bytes[index &+ 1] == UInt8(ascii: "2"), bytes[index &+ 2] | 0x20 == UInt8(ascii: "e")
            {
                index &+= 3
            } else {
                return false
            }
            dots &+= 1
        }
        return dots <= 2
    }
}
