package import HTTPTypes
package import NIOCore

/// The head of an answer, for clients (RFC 9112 §4).
package struct ResponseHead: Sendable {
    package var status: Int
    package var minorVersion: Int
    package var fields: HTTPFields

    /// Whether another response follows this one (RFC 9110 §15.2). A 101 is final for HTTP.
    package var isInterim: Bool { status < 200 && status != 101 }
}

/// Reads the head of a response, without I/O.
package struct ResponseDecoder: Sendable {
    private enum State {
        case start
        /// The status line is read, and the field lines before `position`.
        case fields(StatusLine, position: Int)
    }

    private let limits: HTTPLimits
    private var state: State = .start
    private var lines: FieldLines

    /// A decoder that refuses what is over `limits`.
    package init(limits: HTTPLimits) {
        self.limits = limits
        lines = FieldLines(limits: limits)
    }

    /// Reads the next head that is not interim from `input`. Returns `nil` when it is not complete yet.
    ///
    /// After an error nothing behind it may be read. Interim responses are not counted: a caller that does not trust
    /// the server counts them with `nextHead`.
    package mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> ResponseHead? {
        while let head = try nextHead(&input) {
            if !head.isInterim { return head }
        }
        return nil
    }

    /// Reads the next head from `input`, interim or not. Returns `nil` when it is not complete yet.
    ///
    /// After an error nothing behind it may be read.
    package mutating func nextHead(_ input: inout ByteBuffer) throws(HTTPError) -> ResponseHead? {
        if case .start = state {
            guard let line = try StatusLine.parse(input.readableBytesUInt8Span, limits: limits) else {
                return nil
            }
            lines.removeAll()
            state = .fields(line, position: line.end)
        }
        guard case .fields(let line, var position) = state else { return nil }
        let isWhole = try lines.parse(input.readableBytesUInt8Span, from: &position, sectionStart: line.end)
        guard isWhole else {
            state = .fields(line, position: position)
            return nil
        }
        state = .start
        guard let head = input.readSlice(length: position) else { return nil }
        return ResponseHead(
            status: line.status, minorVersion: line.minorVersion,
            fields: lines.fields(in: head, from: line.end))
    }
}

/// `status-line = HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112 §4).
///
/// The space before a reason phrase that is not there may be missing too: many servers leave it out.
private struct StatusLine {
    var status: Int
    var minorVersion: Int
    /// Where the field lines begin.
    var end: Int

    /// Reads the line; `nil` when it is not whole yet.
    static func parse(_ span: borrowing Span<UInt8>, limits: HTTPLimits) throws(HTTPError) -> StatusLine? {
        let end = span.firstForbiddenControl(from: 0)
        // It is bounded as the fields behind it are.
        guard end <= limits.maxFieldSectionSize else {
            throw .fieldSectionTooLarge(limit: limits.maxFieldSectionSize)
        }
        guard end < span.count else { return nil }
        guard span[end] == 0x0D else { throw span[end] == 0x0A ? .lineEnd : .statusLine }
        guard end + 1 < span.count else { return nil }
        guard span[end + 1] == 0x0A else { throw .lineEnd }
        // A status is one of five classes, and clients take what is in none of them for a server's error (RFC 9110
        // §15); under 100 there is none that anybody could mean.
        guard end >= 12, isVersion1(span), span[8] == 0x20, span[9].isDigit, span[9] != 0x30,
            span[10].isDigit, span[11].isDigit, end == 12 || span[12] == 0x20
        else { throw .statusLine }
        let status = Int(span[9] &- 0x30) * 100 + Int(span[10] &- 0x30) * 10 + Int(span[11] &- 0x30)
        return StatusLine(status: status, minorVersion: span[7] == 0x30 ? 0 : 1, end: end + 2)
    }

    /// `HTTP/1.` and a digit, with regard to case (RFC 9112 §2.3).
    private static func isVersion1(_ span: borrowing Span<UInt8>) -> Bool {
        span[0] == 0x48 && span[1] == 0x54 && span[2] == 0x54 && span[3] == 0x50 && span[4] == 0x2F
            && span[5] == 0x31 && span[6] == 0x2E && span[7].isDigit
    }
}
