import HTTPTypes
import NIOCore

extension EventWriter {
    /// Sends one event whose data is `value` as JSON.
    ///
    /// - Throws: `EncodingError`, `ServerSentEventError`, and what `send(_:)` throws.
    public func send(json value: some Encodable, event: String? = nil, id: String? = nil) async throws {
        let data = String(buffer: try JSON.encode(value))
        try await send(try ServerSentEvent(event: event, id: id, data: data))
    }

    /// Tells the browser after which time to connect again when the stream ends.
    public func retry(after duration: Duration) async throws {
        let (seconds, attoseconds) = duration.components
        // More than a year is as good as never.
        let milliseconds = min(seconds, 31_536_000) * 1000 + attoseconds / 1_000_000_000_000_000
        try await send(try ServerSentEvent(retry: Int(milliseconds)))
    }
}

extension Request {
    /// The id of the last event that a reconnecting client has seen (WHATWG HTML §9.2); `nil` at its first connection.
    public var lastEventID: String? {
        guard let name = HTTPField.Name("Last-Event-ID") else { return nil }
        return fields[name]
    }
}
