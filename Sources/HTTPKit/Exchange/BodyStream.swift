import DequeModule
package import HTTPTypes
package import NIOCore

/// The content of one request between its carrier and its handler.
///
/// Invariant: the state is touched on the connection's event loop only, which debug builds assert; `next` hops
/// there when it is called from elsewhere.
package final class BodyStream: @unchecked Sendable {
    private enum State {
        case open
        case ended(HTTPFields?)
        case failed(HTTPError)
    }

    let declaredLength: Int?
    private let loop: LoopContext
    private var state: State = .open
    private var chunks = Deque<ByteBuffer>()
    private var waiter: UnsafeContinuation<Void, Never>?
    /// How much the reader takes; before anybody reads, what is read ahead is bounded by `HTTPLimits.bodyBufferSize`.
    private var limit = Int.max
    package private(set) var received = 0
    /// How much has been received or announced by the sizes of chunks.
    private var announced = 0
    package private(set) var bufferedBytes = 0
    /// Whom to ask for more, until the exchange is over.
    private var carrier: (any ExchangeCarrier)?

    package init(declaredLength: Int?, loop: LoopContext, carrier: any ExchangeCarrier) {
        self.declaredLength = declaredLength
        self.loop = loop
        self.carrier = carrier
    }

    /// The exchange is over: what has not come will not come.
    func detach() {
        fail(.incompleteBody)
        carrier = nil
    }

    /// Whether less than `limit` waits, for a handler that may still take more.
    package func takesMore(_ limit: Int) -> Bool {
        if case .open = state { return bufferedBytes < limit }
        return false
    }

    /// Whether a handler is suspended on the next piece.
    package var isAwaited: Bool { waiter != nil }

    /// The carrier's side: a piece has arrived.
    package func push(_ data: ByteBuffer) {
        loop.eventLoop.assertInEventLoop()
        guard case .open = state else { return }
        received += data.readableBytes
        announced = max(announced, received)
        bufferedBytes += data.readableBytes
        // Crumbs are swept together, so that what waits costs about what it counts.
        if let last = chunks.last?.readableBytes, last + data.readableBytes <= Self.crumbSize {
            chunks[chunks.count - 1].writeImmutableBuffer(data)
        } else {
            chunks.append(data)
        }
        wake()
    }

    private static let crumbSize = 1024

    /// The carrier's side: that much more is to come of a chunk. A handler that waits learns at once when that is more
    /// than it may read.
    package func announce(_ bytes: Int) {
        guard bytes > 0 else { return }
        let (sum, overflow) = received.addingReportingOverflow(bytes)
        announced = max(announced, overflow ? .max : sum)
        if announced > limit { wake() }
    }

    package func end(trailers: HTTPFields?) {
        guard case .open = state else { return }
        state = .ended(trailers)
        wake()
    }

    package func fail(_ error: HTTPError) {
        guard case .open = state else { return }
        state = .failed(error)
        wake()
    }

    private func wake() {
        if let waiter {
            self.waiter = nil
            waiter.resume()
        }
    }

    /// The handler's side: the next piece, or `nil` at the end; `CancellationError` loses none.
    ///
    /// - Parameter limit: the most that the whole body may have for this reader, in bytes.
    func next(limit: Int) async throws -> ByteBuffer? {
        guard loop.eventLoop.inEventLoop else {
            return try await loop.run { try await self.next(limit: limit) }
        }
        self.limit = limit
        while true {
            if let limitError { throw limitError }
            if let chunk = takeChunk() { return chunk }
            switch state {
            case .ended: return nil
            case .failed(let error): throw error
            case .open: try Task.checkCancellation()
            }
            guard waiter == nil else {
                throw HTTPFailure(.internalServerError, "two tasks read one request body")
            }
            carrier?.contentIsWanted()
            guard chunks.isEmpty, case .open = state else { continue }
            await withTaskCancellationHandler {
                await withUnsafeContinuation { waiter = $0 }
            } onCancel: {
                // Never at once: the canceller may be in the middle of a change of this state.
                loop.eventLoop.execute { self.loop.turn { self.wake() } }
            }
            if Task.isCancelled { carrier?.contentIsNotWanted() }
        }
    }

    private func takeChunk() -> ByteBuffer? {
        guard let chunk = chunks.popFirst() else { return nil }
        bufferedBytes -= chunk.readableBytes
        carrier?.contentWasRead()
        return chunk
    }

    /// A body that is announced over the limit, by its length or by the size of a chunk, or has arrived over it, is
    /// rejected before any more of it is read.
    private var limitError: HTTPError? {
        max(declaredLength ?? 0, announced) > limit ? .contentTooLarge(limit: limit) : nil
    }

    func trailersAtEnd(limit: Int) async throws -> HTTPFields? {
        while try await next(limit: limit) != nil {}
        guard loop.eventLoop.inEventLoop else {
            return await Task(executorPreference: loop) { self.trailers }.value
        }
        return trailers
    }

    private var trailers: HTTPFields? {
        if case .ended(let trailers) = state { return trailers }
        return nil
    }
}
