import HTTPTypes
package import NIOCore

/// Undoes the coding of one request's body on its way to the handler (RFC 9110 §8.4); called on the connection's event
/// loop only.
package protocol ContentDecoder: AnyObject, Sendable {
    /// Adds encoded bytes. Called only when `next` has returned `nil`.
    func append(_ piece: ByteBuffer)
    /// The next decoded bytes, never empty and at most `room`; `nil` when more input is needed.
    ///
    /// - Throws: a `ResponseError` when the input is malformed.
    func next(upTo room: Int) throws -> ByteBuffer?
    /// Says that the input is whole.
    ///
    /// - Throws: a `ResponseError` when it ends too early.
    func finish() throws
}

/// A request body that is decoded piece by piece, as the handler reads it.
///
/// The limit counts decoded bytes. No more is decoded than the handler asks for, and nothing is kept but one piece of
/// the encoded body.
///
/// Invariant: the state is touched on the connection's event loop only; `next` hops there when it is called from
/// elsewhere.
package final class DecodedBody: @unchecked Sendable {
    private enum State {
        case reading
        case ended
        case failed(any Error)
    }

    private let source: BodyStream
    private let decoder: any ContentDecoder
    private let loop: LoopContext
    private var state = State.reading
    private var decoded = 0
    /// What was decoded when others on this loop last had their turn.
    private var yieldedAt = 0

    /// The most that one call of `next` decodes, in bytes: some tenths of a millisecond of work.
    private static let pieceSize = 64 << 10

    init(_ source: BodyStream, decoder: any ContentDecoder, loop: LoopContext) {
        self.source = source
        self.decoder = decoder
        self.loop = loop
    }

    /// What does not shrink grows by some bytes for each block. That much more may come than is allowed of the decoded
    /// body.
    private static func encodedLimit(_ limit: Int) -> Int {
        let (sum, overflow) = limit.addingReportingOverflow(limit / 1024 + 1024)
        return overflow ? .max : sum
    }

    /// The next decoded bytes, or `nil` at the end.
    ///
    /// - Parameter limit: The most that the whole decoded body may have for this reader, in bytes.
    func next(limit: Int) async throws -> ByteBuffer? {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.next(limit: limit) }
        }
        while true {
            switch state {
            case .reading: break
            case .ended: return nil
            case .failed(let error): throw error
            }
            if let piece = try decode(limit: limit) {
                // A few bytes may decode to many pieces, for none of which the handler is suspended.
                if decoded - yieldedAt >= Self.pieceSize {
                    yieldedAt = decoded
                    await Task.yield()
                }
                return piece
            }
            guard let input = try await source.next(limit: Self.encodedLimit(limit)) else {
                try end()
                return nil
            }
            decoder.append(input)
        }
    }

    private func decode(limit: Int) throws -> ByteBuffer? {
        do {
            guard let piece = try decoder.next(upTo: Self.pieceSize) else { return nil }
            decoded += piece.readableBytes
            guard decoded <= limit else { throw HTTPError.contentTooLarge(limit: limit) }
            return piece
        } catch {
            state = .failed(error)
            throw error
        }
    }

    private func end() throws {
        do {
            try decoder.finish()
            state = .ended
        } catch {
            state = .failed(error)
            throw error
        }
    }

    func trailersAtEnd(limit: Int) async throws -> HTTPFields? {
        while try await next(limit: limit) != nil {}
        return try await source.trailersAtEnd(limit: Self.encodedLimit(limit))
    }
}
