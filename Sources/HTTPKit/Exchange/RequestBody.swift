public import HTTPTypes
public import NIOCore

/// The content of a request, as it arrives: an asynchronous sequence that is read once.
///
/// What is not read holds its connection back: at most `HTTPLimits.bodyBufferSize` bytes wait.
public struct RequestBody: Sendable, AsyncSequence {
    package enum Storage: Sendable {
        case empty
        case stream(BodyStream)
        case decoded(DecodedBody)
    }

    let storage: Storage
    /// The most that is given to who reads this copy, in bytes (`Request.bodyLimit`).
    var limit = Int.max

    package static let empty = RequestBody(storage: .empty)

    /// Whether the request has no content, by its framing.
    public var isEmpty: Bool {
        if case .empty = storage { return true }
        return false
    }

    /// The length of the content, where the request tells; of a body that middleware decodes it does not.
    public var length: Int? {
        switch storage {
        case .empty: 0
        case .stream(let stream): stream.declaredLength
        case .decoded: nil
        }
    }

    /// The whole content in one buffer, up to the limit of the route or of the server.
    ///
    /// - Throws: `HTTPError.contentTooLarge` (413), `.timeout` (408), `.incompleteBody`; `CancellationError`.
    public func collect() async throws -> ByteBuffer { try await collect(limit: nil) }

    /// The whole content in one buffer.
    ///
    /// - Parameter limit: the most that is taken, in bytes, whatever the limit of the route or of the server.
    /// - Throws: `HTTPError.contentTooLarge` (413), `.timeout` (408), `.incompleteBody`; `CancellationError`.
    public func collect(upTo limit: Int) async throws -> ByteBuffer { try await collect(limit: limit) }

    // `limit` is no optional above: NIO's method of that name for all sequences of buffers would be preferred.
    func collect(limit: Int?) async throws -> ByteBuffer {
        let limit = limit ?? self.limit
        var whole = ByteBuffer()
        while let chunk = try await storage.next(limit: limit) {
            if whole.readableBytes == 0 { whole = chunk } else { whole.writeImmutableBuffer(chunk) }
        }
        return whole
    }

    /// The whole content as text. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// - Throws: what `collect()` throws.
    public func text() async throws -> String { String(buffer: try await collect()) }

    /// The trailer fields behind chunked content, once it has been read to its end (RFC 9110 §6.5).
    public func trailers() async throws -> HTTPFields? {
        switch storage {
        case .empty: nil
        case .stream(let stream): try await stream.trailersAtEnd(limit: limit)
        case .decoded(let decoded): try await decoded.trailersAtEnd(limit: limit)
        }
    }

    /// Reads the content piece by piece.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let storage: Storage
        let limit: Int

        /// The next bytes; `nil` at the end.
        ///
        /// - Throws: `HTTPError.contentTooLarge` (413), `.timeout` (408), `.incompleteBody`; `CancellationError`, by
        ///   which nothing is lost.
        public mutating func next() async throws -> ByteBuffer? {
            try await storage.next(limit: limit)
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(storage: storage, limit: limit) }
}

extension RequestBody.Storage {
    fileprivate func next(limit: Int) async throws -> ByteBuffer? {
        switch self {
        case .empty: nil
        case .stream(let stream): try await stream.next(limit: limit)
        case .decoded(let decoded): try await decoded.next(limit: limit)
        }
    }
}
