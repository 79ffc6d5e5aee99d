import HTTPTypes
package import NIOCore

/// Reads request heads (RFC 9112 §2.1-§5) from a stream of octets, without I/O.
///
/// Each line is read once it is whole, so a malformed one is refused before the rest of the head is there.
package struct RequestDecoder: Sendable {
    private enum State {
        /// Nothing of a head has been read; one empty line may precede it (§2.2).
        case start(sawEmptyLine: Bool)
        /// The request line is read, and the field lines before `position`.
        case fields(RequestLine, position: Int)
    }

    private let limits: RequestLine.Limits
    private var state: State = .start(sawEmptyLine: false)
    private var lines: FieldLines
    private var known = KnownFields()
    /// Whether the head that is being read, or was refused, is one of HEAD: its response has no content.
    package private(set) var isHeadRequest = false
    /// What the fields of the last head say about the wire: framing, persistence, expectation.
    package private(set) var facts = FieldFacts()

    /// A decoder that refuses what is over `limits`.
    package init(limits: HTTPLimits) {
        self.limits = RequestLine.Limits(limits)
        lines = FieldLines(limits: limits)
    }

    /// Takes the next head from `input`, or answers `nil` when it is not whole yet.
    ///
    /// After an error the stream cannot be trusted any more: nothing behind it may be read as a request.
    package mutating func next(_ input: inout ByteBuffer) throws(HTTPError) -> RequestHead? {
        let read = input
        let span = read.readableBytesUInt8Span
        let line: RequestLine
        var position: Int
        switch state {
        case .fields(let known, let reached):
            (line, position) = (known, reached)
        case .start(let sawEmptyLine):
            isHeadRequest = false
            guard span.count > 0 else { return nil }
            if !sawEmptyLine, span[0] == 0x0D { return try skipEmptyLine(&input) }
            guard let first = try RequestLine.parse(span, from: 0, limits: limits) else { return nil }
            (line, position) = (first, first.end)
            isHeadRequest = line.method == .head
            lines.removeAll()
        }
        let form = try RequestTarget(
            span, line.target, isConnect: line.method == .connect, isOptions: line.method == .options)
        let slots: [FieldSlot]
        if let same = known.match(span, line) {
            position = line.end &+ known.count
            facts = same
            slots = known.slots
        } else {
            guard try lines.parse(span, from: &position, sectionStart: line.end) else {
                state = .fields(line, position: position)
                return nil
            }
            slots = lines.slots
            facts = try FieldFacts(span, slots, from: line.end, minorVersion: line.minorVersion)
            known.remember(span, line, end: position, slots, facts)
        }
        try form.check(host: facts.host?.value(from: line.end), span)
        if case .start(sawEmptyLine: false) = state {} else { state = .start(sawEmptyLine: false) }
        guard let buffer = input.readSlice(length: position) else { return nil }
        return RequestHead(
            buffer: buffer, method: line.method, version: line.minorVersion == 0 ? .http10 : .http11,
            target: line.target, form: form, fieldsStart: line.end, slots: slots, hostSlot: facts.host)
    }

    /// Whether the fields of the last head were those of one before it, and read then.
    var hasMatched: Bool { known.isMatched }

    /// Whether a part of a head has arrived.
    package func isInHead(_ input: ByteBuffer) -> Bool {
        if case .fields = state { return true }
        return input.readableBytes > 0
    }

    /// One CRLF before the request line is passed over (RFC 9112 §2.2).
    private mutating func skipEmptyLine(_ input: inout ByteBuffer) throws(HTTPError) -> RequestHead? {
        guard let second: UInt8 = input.getInteger(at: input.readerIndex + 1) else { return nil }
        guard second == 0x0A else { throw .lineEnd }
        input.moveReaderIndex(forwardBy: 2)
        state = .start(sawEmptyLine: true)
        return try next(&input)
    }
}
