package import HTTPTypes
package import NIOCore

/// A request's head: one buffer and a table of offsets (RFC 9112 §2.1). A field becomes text when it is asked for.
package struct RequestHead: Sendable {
    /// The octets of the head, from the request line to the empty line.
    package var buffer: ByteBuffer
    package var method: HTTPRequest.Method
    /// The minor version that the peer is spoken to in: 0 or 1 (RFC 9112 §2.3).
    package var minorVersion: Int
    package var target: Range<Int>
    package var form: RequestTarget
    /// Where the field lines begin.
    package var fieldsStart: Int
    package var slots: [FieldSlot]
    /// What follows from the fields.
    package var facts: FieldFacts

    package var framing: BodyFraming { facts.framing }
    package var connection: ConnectionOptions { facts.connection }
    /// The client waits for 100 (Continue) before it sends the content (RFC 9110 §10.1.1).
    package var expectsContinue: Bool { facts.expectsContinue }
    /// Where the value of Host stands.
    package var host: Range<Int>? { facts.host?.value(from: fieldsStart) }

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
