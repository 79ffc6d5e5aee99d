public import HTTPTypes
public import NIOCore

/// Why an event cannot be sent.
public enum ServerSentEventError: ResponseError, Equatable {
    /// The event's name holds a line end or NUL.
    case event(String)
    /// The id holds a line end or NUL.
    case id(String)
    /// The reconnection time is negative.
    case retry(Int)

    /// 500: an answer was to be sent that must not be.
    public var status: HTTPResponse.Status { .internalServerError }

    /// What is wrong, with the value.
    public var message: String {
        switch self {
        case .event(let name): "event stream: \(name.debugDescription) is not an event name"
        case .id(let id): "event stream: \(id.debugDescription) is not an event id"
        case .retry(let milliseconds): "event stream: a retry of \(milliseconds) ms is negative"
        }
    }
}

/// One event of a `text/event-stream` (WHATWG HTML §9.2).
///
/// Whatever its text holds, it is written as one event: line ends in data and comments start new lines of the
/// same field, and in the other fields they are refused.
public struct ServerSentEvent: Sendable, Hashable {
    /// The event's name; `nil` is the browser's `message`.
    public let event: String?
    /// The id that a browser sends back as Last-Event-ID when it reconnects.
    public let id: String?
    /// The text; `nil` dispatches nothing. CR LF, CR and LF all reach the reader as LF.
    public let data: String?
    /// The time after which a browser reconnects, in milliseconds.
    public let retry: Int?
    /// Text that readers ignore; an empty one keeps a connection from idling.
    public let comment: String?

    /// An event of data alone.
    public init(data: String) {
        self.data = data
        (event, id, retry, comment) = (nil, nil, nil, nil)
    }

    /// A line that readers ignore, to keep the connection from idling.
    public init(comment: String) {
        self.comment = comment
        (event, id, retry, data) = (nil, nil, nil, nil)
    }

    /// An event with any of its fields.
    ///
    /// - Throws: `ServerSentEventError` for a name or id with a line end or NUL, and for a negative retry.
    public init(
        event: String? = nil, id: String? = nil, data: String? = nil, retry: Int? = nil,
        comment: String? = nil
    ) throws(ServerSentEventError) {
        if let event, !ServerSentEvent.isOneLine(event) { throw .event(event) }
        if let id, !ServerSentEvent.isOneLine(id) { throw .id(id) }
        if let retry, retry < 0 { throw .retry(retry) }
        (self.event, self.id, self.data, self.retry, self.comment) = (event, id, data, retry, comment)
    }

    /// Appends the event with the empty line that ends it.
    public func write(into buffer: inout ByteBuffer) {
        if let comment { ServerSentEvent.writeLines(of: comment, field: ": ", into: &buffer) }
        if let retry { buffer.writeString("retry: \(retry)\n") }
        if let id { buffer.writeString("id: \(id)\n") }
        if let event { buffer.writeString("event: \(event)\n") }
        if let data { ServerSentEvent.writeLines(of: data, field: "data: ", into: &buffer) }
        buffer.writeInteger(UInt8(ascii: "\n"))
    }

    private static func isOneLine(_ text: String) -> Bool {
        !text.utf8.contains { $0 == 0x0A || $0 == 0x0D || $0 == 0 }
    }

    /// One line for each line of the text. The space after the colon is always written, since a reader removes
    /// one; text that starts with a space keeps its own.
    private static func writeLines(of text: String, field: String, into buffer: inout ByteBuffer) {
        var start = text.utf8.startIndex
        var index = start
        func line(upTo end: String.Index) {
            buffer.writeString(field)
            buffer.writeSubstring(text[start..<end])
            buffer.writeInteger(UInt8(ascii: "\n"))
        }
        while index < text.utf8.endIndex {
            let byte = text.utf8[index]
            let next = text.utf8.index(after: index)
            if byte == 0x0A || byte == 0x0D {
                line(upTo: index)
                let isPair = byte == 0x0D && next < text.utf8.endIndex && text.utf8[next] == 0x0A
                start = isPair ? text.utf8.index(after: next) : next
                index = start
            } else {
                index = next
            }
        }
        line(upTo: index)
    }
}
