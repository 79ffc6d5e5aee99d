import WSKit

extension WebSocket {
    /// The received messages, up to a limit. Above it the socket is closed with 1008, and the sequence ends.
    ///
    /// ```swift
    /// for try await message in socket.messages(upTo: RateLimit(20, per: .seconds(1))) { … }
    /// ```
    public final func messages(
        upTo limit: RateLimit, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) -> LimitedMessages {
        LimitedMessages(socket: self, limit: limit, now: now)
    }
}

/// The received messages of a socket, up to a limit.
public struct LimitedMessages: AsyncSequence, Sendable {
    let socket: WebSocket
    let limit: RateLimit
    let now: @Sendable () -> ContinuousClock.Instant

    /// Returns the messages one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let socket: WebSocket
        let limit: RateLimit
        let now: @Sendable () -> ContinuousClock.Instant
        var messages: WebSocketMessages.AsyncIterator
        var bucket: TokenBucket

        /// The next message; `nil` when the connection has ended or the limit is exceeded.
        ///
        /// - Throws: what the iterator of `WebSocket.messages` throws.
        public mutating func next() async throws -> Message? {
            guard let message = try await messages.next() else { return nil }
            guard bucket.take(limit, now: now()).isAllowed else {
                try await socket.close(.policyViolation, reason: "too many messages")
                return nil
            }
            return message
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            socket: socket, limit: limit, now: now, messages: socket.messages.makeAsyncIterator(),
            bucket: TokenBucket(now: now()))
    }
}
