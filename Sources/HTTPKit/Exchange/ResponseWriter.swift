public import HTTPTypes
public import NIOCore

/// Writes the content of a streamed response, with backpressure: `write` is suspended while the client does not read.
public struct ResponseWriter: Sendable {
    let exchange: Exchange
    /// What changes the content on its way.
    package private(set) var encoder: (any ContentEncoder)?

    init(exchange: Exchange) { self.exchange = exchange }

    /// Sends `data`; it is on its way at the end of this turn of the event loop.
    ///
    /// - Throws: `CancellationError` when the client is gone, or when the task is cancelled while it waits for the client
    ///   to read: `data` is on its way then all the same. An error of the program's when more is written than was
    ///   announced.
    public func write(_ data: ByteBuffer) async throws {
        guard let encoder else { return try await exchange.writeBody(data) }
        try await exchange.writeBody(data, by: encoder)
    }

    /// Sends text as UTF-8.
    public func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }

    /// Sends the head, if that has not been done, and all that was written, without waiting for the end of this turn of
    /// the event loop. It is suspended while the client does not read.
    ///
    /// An error thrown behind it closes the connection, as behind the first write.
    ///
    /// - Throws: `CancellationError` as `write` does.
    public func flush() async throws { try await exchange.flushBody() }

    /// Sets the trailer fields to send behind chunked content (RFC 9110 §6.5); without effect on other content.
    public func setTrailers(_ trailers: HTTPFields) {
        exchange.setTrailers(trailers)
    }
}

extension ResponseWriter {
    /// A writer of the same response whose pieces go through `encoder`; to be ended with `finishEncoding`.
    package func encoding(by encoder: any ContentEncoder) -> ResponseWriter {
        var writer = self
        writer.encoder = encoder
        return writer
    }

    /// Sends what the encoder has kept back.
    package func finishEncoding() async throws {
        guard let encoder else { return }
        try await exchange.finishBody(by: encoder)
    }
}

/// Changes the content of one streamed response on its way; called on the connection's event loop only.
package protocol ContentEncoder: AnyObject, Sendable {
    /// What is sent for a piece of content.
    func encode(_ piece: ByteBuffer) throws -> ByteBuffer
    /// What is sent at the end.
    func finish() throws -> ByteBuffer
}
