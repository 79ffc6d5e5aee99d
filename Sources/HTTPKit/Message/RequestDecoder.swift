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

    private let limits: HTTPLimits
    private var state: State = .start(sawEmptyLine: false)
    private var lines: FieldLines
    /// Whether the head that is being read, or was refused, is one of HEAD: its answer has no content.
    package private(set) var isHeadRequest = false

    /// A decoder that refuses what is over `limits`.
    package init(limits: HTTPLimits) {
        self.limits = limits
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
        guard try lines.parse(span, from: &position, sectionStart: line.end) else {
            state = .fields(line, position: position)
            return nil
        }
        if case .start(sawEmptyLine: false) = state {} else { state = .start(sawEmptyLine: false) }
        let facts = try Facts(span, line, lines.slots)
        guard let buffer = input.readSlice(length: position) else { return nil }
        return RequestHead(
            buffer: buffer, method: line.method, minorVersion: line.minorVersion, target: line.target,
            form: facts.form, slots: lines.slots, framing: facts.framing, connection: facts.connection,
            expectsContinue: facts.expectsContinue, host: facts.host)
    }

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

/// Everything about a message that follows from its head, decided once.
private struct Facts {
    var form: RequestTarget
    var framing = BodyFraming.none
    var connection: ConnectionOptions = []
    var host: Range<Int>?
    var expectsContinue = false

    init(_ span: borrowing Span<UInt8>, _ line: RequestLine, _ slots: [FieldSlot]) throws(HTTPError) {
        form = try RequestTarget(
            span, line.target, isConnect: line.method == .connect, isOptions: line.method == .options)
        var framing = FramingFields()
        for slot in slots {
            switch slot.nameLength {
            case 4 where span.equalsIgnoringCase(slot.name, "host"):
                guard host == nil, Authority.isValid(span, slot.value) else { throw .host }
                host = slot.value
            case 6 where span.equalsIgnoringCase(slot.name, "expect"):
                guard span.equalsIgnoringCase(slot.value, "100-continue") else { throw .expectation }
                // An expectation in an HTTP/1.0 request is ignored (RFC 9110 §10.1.1).
                expectsContinue = line.minorVersion > 0
            case 10 where span.equalsIgnoringCase(slot.name, "connection"):
                connection.formUnion(ConnectionOptions(span, slot.value))
            case 14 where span.equalsIgnoringCase(slot.name, "content-length"):
                try framing.addContentLength(span, slot.value)
            case 17 where span.equalsIgnoringCase(slot.name, "transfer-encoding"):
                framing.addTransferEncoding(span, slot.value)
            default: break
            }
        }
        try Self.checkHost(span, host, form, minorVersion: line.minorVersion)
        self.framing = try framing.framing(minorVersion: line.minorVersion)
    }

    /// Host is there in HTTP/1.1, and says what an absolute target says (RFC 9112 §3.2, §3.2.2).
    private static func checkHost(
        _ span: borrowing Span<UInt8>, _ host: Range<Int>?, _ form: RequestTarget, minorVersion: Int
    ) throws(HTTPError) {
        guard let host else {
            if minorVersion > 0 { throw .host }
            return
        }
        guard case .absolute(let authority, _, _) = form else { return }
        guard host.count == authority.count else { throw .host }
        for offset in 0..<host.count
        where span[host.lowerBound + offset].asciiLowercased
            != span[authority.lowerBound + offset].asciiLowercased
        {
            throw .host
        }
    }
}
