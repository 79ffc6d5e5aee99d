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
        if case .start(let sawEmptyLine) = state {
            isHeadRequest = false
            if !sawEmptyLine, try skipEmptyLine(&input) { return nil }
            guard input.readableBytes > 0 else { return nil }
            guard let line = try RequestLine.parse(input.readableBytesUInt8Span, from: 0, limits: limits)
            else {
                return nil
            }
            isHeadRequest = line.method == .head
            lines.removeAll()
            state = .fields(line, position: line.end)
        }
        guard case .fields(let line, var position) = state else { return nil }
        let isWhole = try lines.parse(input.readableBytesUInt8Span, from: &position, sectionStart: line.end)
        guard isWhole else {
            state = .fields(line, position: position)
            return nil
        }
        state = .start(sawEmptyLine: false)
        guard let buffer = input.readSlice(length: position) else { return nil }
        return try head(line, buffer)
    }

    /// Whether a part of a head has arrived.
    package func isInHead(_ input: ByteBuffer) -> Bool {
        if case .fields = state { return true }
        return input.readableBytes > 0
    }

    /// One CRLF before the request line is passed over (RFC 9112 §2.2).
    ///
    /// - Returns: whether more octets are needed to tell.
    private mutating func skipEmptyLine(_ input: inout ByteBuffer) throws(HTTPError) -> Bool {
        guard let first: UInt8 = input.getInteger(at: input.readerIndex), first == 0x0D else { return false }
        guard let second: UInt8 = input.getInteger(at: input.readerIndex + 1) else { return true }
        guard second == 0x0A else { throw .lineEnd }
        input.moveReaderIndex(forwardBy: 2)
        state = .start(sawEmptyLine: true)
        return false
    }

    /// Everything about the message that follows from its fields, decided once.
    private func head(_ line: RequestLine, _ buffer: ByteBuffer) throws(HTTPError) -> RequestHead {
        let span = buffer.readableBytesUInt8Span
        let form = try RequestTarget(
            span, line.target, isConnect: line.method == .connect, isOptions: line.method == .options)
        var framing = FramingFields()
        var connection: ConnectionOptions = []
        var host: Range<Int>?
        var expectsContinue = false
        for slot in lines.slots {
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
        return RequestHead(
            buffer: buffer, method: line.method, minorVersion: line.minorVersion, target: line.target,
            form: form,
            slots: lines.slots, framing: try framing.framing(minorVersion: line.minorVersion),
            connection: connection,
            expectsContinue: expectsContinue, host: host)
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
