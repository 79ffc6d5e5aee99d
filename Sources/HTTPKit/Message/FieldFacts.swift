/// What the fields of a request's head say about the wire, decided once.
package struct FieldFacts: Sendable {
    /// How the content is delimited (RFC 9112 §6.3).
    package var framing = BodyFraming.none
    /// What the Connection fields say (RFC 9110 §7.6.1).
    package var connection: ConnectionOptions = []
    var host: FieldSlot?
    /// The client waits for 100 (Continue) before it sends the content (RFC 9110 §10.1.1).
    package var expectsContinue = false

    /// The facts of a head without fields.
    init() {}

    /// Looks at the fields of a section that begins at `start` of `span`.
    init(
        _ span: borrowing Span<UInt8>, _ slots: [FieldSlot], from start: Int, minorVersion: Int
    ) throws(HTTPError) {
        var framing = FramingFields()
        for slot in slots {
            let name = slot.name(from: start)
            switch slot.nameLength {
            case 4 where span.equalsIgnoringCase(name, "host"):
                guard host == nil, Authority.isValid(span, slot.value(from: start)) else { throw .host }
                host = slot
            case 6 where span.equalsIgnoringCase(name, "expect"):
                guard span.equalsIgnoringCase(slot.value(from: start), "100-continue") else {
                    throw .expectation
                }
                // An expectation in an HTTP/1.0 request is ignored (RFC 9110 §10.1.1).
                expectsContinue = minorVersion > 0
            case 10 where span.equalsIgnoringCase(name, "connection"):
                connection.formUnion(ConnectionOptions(span, slot.value(from: start)))
            case 14 where span.equalsIgnoringCase(name, "content-length"):
                try framing.addContentLength(span, slot.value(from: start))
            case 17 where span.equalsIgnoringCase(name, "transfer-encoding"):
                framing.addTransferEncoding(span, slot.value(from: start))
            default: break
            }
        }
        // RFC 9112 §3.2.
        guard host != nil || minorVersion == 0 else { throw .host }
        self.framing = try framing.framing(minorVersion: minorVersion)
    }
}
