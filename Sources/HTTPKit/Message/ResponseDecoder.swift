package import HTTPTypes
package import NIOCore

/// The head of an answer, for clients (RFC 9112 §4).
package struct ResponseHead: Sendable {
    package var status: Int
    package var fields: HTTPFields
}

/// Reads the head of an answer, without I/O. Interim answers other than 101 are passed over (RFC 9110 §15.2).
package struct ResponseDecoder: Sendable {
    private let limits: HTTPLimits

    /// A decoder that refuses what is over `limits`.
    package init(limits: HTTPLimits) { self.limits = limits }

    /// Takes the next head from `input`, or answers `nil` when it is not whole yet.
    package func next(_ input: inout ByteBuffer) throws(HTTPError) -> ResponseHead? {
        while true {
            var position = 0
            var lines = FieldLines(limits: limits)
            guard let status = try Self.parse(&lines, input.readableBytesUInt8Span, &position) else {
                // A status line without an end is bounded like the fields behind it.
                guard input.readableBytes <= 2 * limits.maxFieldSectionSize else {
                    throw .fieldSectionTooLarge(limit: limits.maxFieldSectionSize)
                }
                return nil
            }
            guard let section = input.readSlice(length: position) else { return nil }
            guard status >= 200 || status == 101 else { continue }
            return ResponseHead(status: status, fields: lines.fields(in: section))
        }
    }

    /// Reads status line and fields; `nil` when they are not whole.
    private static func parse(
        _ lines: inout FieldLines, _ span: borrowing Span<UInt8>, _ position: inout Int
    ) throws(HTTPError) -> Int? {
        guard let status = try statusLine(span, &position) else { return nil }
        let start = position
        return try lines.parse(span, from: &position, sectionStart: start) ? status : nil
    }

    /// `HTTP/1.x SP 3DIGIT SP [ reason-phrase ]` (RFC 9112 §4).
    private static func statusLine(_ span: borrowing Span<UInt8>, _ position: inout Int) throws(HTTPError)
        -> Int?
    {
        let end = span.firstForbiddenControl(from: 0)
        guard end + 1 < span.count else { return nil }
        guard span[end] == 0x0D, span[end + 1] == 0x0A else { throw .lineEnd }
        guard end >= 12, span.equalsIgnoringCase(0..<7, "http/1."), span[7].isDigit, span[8] == 0x20,
            span[9].isDigit, span[10].isDigit, span[11].isDigit, end == 12 || span[12] == 0x20
        else { throw .requestLine }
        position = end + 2
        return Int(span[9] &- 0x30) * 100 + Int(span[10] &- 0x30) * 10 + Int(span[11] &- 0x30)
    }
}
