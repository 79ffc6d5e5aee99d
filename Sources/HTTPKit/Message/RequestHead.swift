package import HTTPTypes
package import NIOCore

/// The version of HTTP that a request was sent in (RFC 9110 §2.5).
package enum HTTPVersion: Sendable, Hashable, CustomStringConvertible {
    case http10
    case http11
    case http2

    /// `HTTP/1.1`; `HTTP/2` has no minor version (RFC 9113 §1).
    package var description: String {
        switch self {
        case .http10: "HTTP/1.0"
        case .http11: "HTTP/1.1"
        case .http2: "HTTP/2"
        }
    }
}

/// The head of a request (RFC 9110 §6.2): one buffer and a table of offsets. A field becomes text when it is asked for.
///
/// A head says what a request is. How its content is delimited and whether its connection goes on are facts of the
/// wire (`FieldFacts`), which stay with the connection.
package struct RequestHead: Sendable {
    /// The bytes of the head, from the request line to the empty line.
    package var buffer: ByteBuffer
    package var method: HTTPRequest.Method
    package var version: HTTPVersion
    package var target: Range<Int>
    package var form: RequestTarget
    /// Where the field lines begin.
    package var fieldsStart: Int
    package var slots: [FieldSlot]
    /// The line of Host, if there is one.
    package var hostSlot: FieldSlot?
    /// Where the protocol stands that an extended CONNECT asks for (RFC 8441 §4); `nil` for all other requests.
    package var connectProtocolSlot: FieldSlot?

    package init(
        buffer: ByteBuffer, method: HTTPRequest.Method, version: HTTPVersion, target: Range<Int>,
        form: RequestTarget, fieldsStart: Int, slots: [FieldSlot], hostSlot: FieldSlot? = nil,
        connectProtocolSlot: FieldSlot? = nil
    ) {
        self.buffer = buffer
        self.method = method
        self.version = version
        self.target = target
        self.form = form
        self.fieldsStart = fieldsStart
        self.slots = slots
        self.hostSlot = hostSlot
        self.connectProtocolSlot = connectProtocolSlot
    }

    /// The protocol that an extended CONNECT asks for, such as `websocket`.
    package var connectProtocol: String? { connectProtocolSlot.map { value($0) } }

    /// Where the value of Host stands.
    package var host: Range<Int>? { hostSlot?.value(from: fieldsStart) }

    /// The name of a field, as it was sent.
    func name(_ slot: FieldSlot) -> String { buffer.string(slot.name(from: fieldsStart)) }

    /// The value of a field line.
    func value(_ slot: FieldSlot) -> String { buffer.string(slot.value(from: fieldsStart)) }

    /// The path, still percent-encoded; an absolute target without one means `/` (RFC 9110 §4.2.3).
    package var path: Range<Int> {
        switch form {
        case .origin(let path, _), .absolute(_, let path, _): path
        case .authority, .asterisk: target.lowerBound..<target.lowerBound
        }
    }

    /// The query behind the first `?`, still percent-encoded.
    package var query: Range<Int>? {
        switch form {
        case .origin(_, let query), .absolute(_, _, let query): query
        case .authority, .asterisk: nil
        }
    }
}

/// What the Connection fields of a message say (RFC 9110 §7.6.1).
package struct ConnectionOptions: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let close = ConnectionOptions(rawValue: 1)
    package static let keepAlive = ConnectionOptions(rawValue: 2)
    package static let upgrade = ConnectionOptions(rawValue: 4)

    /// The options named in a field value: a list of tokens without regard to case.
    init(_ bytes: borrowing Span<UInt8>, _ range: Range<Int>) {
        if bytes.equalsIgnoringCase(range, "keep-alive") {
            self = .keepAlive
            return
        }
        self = []
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != 0x2C { end += 1 }
            var first = start
            var last = end
            while first < last, bytes[first].isBlank { first += 1 }
            while last > first, bytes[last - 1].isBlank { last -= 1 }
            switch last - first {
            case 5 where bytes.equalsIgnoringCase(first..<last, "close"): insert(.close)
            case 10 where bytes.equalsIgnoringCase(first..<last, "keep-alive"): insert(.keepAlive)
            case 7 where bytes.equalsIgnoringCase(first..<last, "upgrade"): insert(.upgrade)
            default: break
            }
            start = end + 1
        }
    }
}
