public import HTTPKit

/// The received messages of a socket.
public struct WebSocketMessages: AsyncSequence, Sendable {
    let connection: WebSocketConnection

    /// Returns the elements one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let connection: WebSocketConnection

        /// Returns the next message, or `nil` when the connection has ended.
        ///
        /// - Throws: `ConcurrentReadError` if another task is already reading, `CancellationError`. No message is lost by
        ///   either.
        public mutating func next() async throws -> Message? { try await connection.nextMessage() }
    }

    /// Begins to read. Messages that were received before are not lost.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
}

/// The received messages of a socket in parts as they arrive (`WebSocketOptions.deliversParts`), for messages of any size
/// with constant memory.
public struct WebSocketParts: AsyncSequence, Sendable {
    let connection: WebSocketConnection

    /// Returns the elements one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let connection: WebSocketConnection

        /// Returns the next part, or `nil` when the connection has ended.
        public mutating func next() async throws -> MessagePart? { try await connection.nextPart() }
    }

    /// Begins to read the sequence.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
}

/// The received text messages of a socket.
public struct WebSocketTexts: AsyncSequence, Sendable {
    let messages: WebSocketMessages

    /// Returns the elements one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var messages: WebSocketMessages.AsyncIterator

        /// Returns the next text, or `nil` when the connection has ended.
        public mutating func next() async throws -> String? {
            while let message = try await messages.next() {
                if let text = message.text { return text }
            }
            return nil
        }
    }

    /// Begins to read the sequence.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(messages: messages.makeAsyncIterator()) }
}

/// The received messages of a socket, decoded from JSON.
public struct WebSocketValues<Value: Decodable & Sendable>: AsyncSequence, Sendable {
    let messages: WebSocketMessages

    /// Returns the elements one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var messages: WebSocketMessages.AsyncIterator

        /// Returns the next value, or why a message could not be decoded; `nil` when the connection has ended.
        public mutating func next() async throws -> Result<Value, JSONContentError>? {
            guard let message = try await messages.next() else { return nil }
            return Result { () throws(JSONContentError) in try JSON.decode(Value.self, from: message.payload)
            }
        }
    }

    /// Begins to read the sequence.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(messages: messages.makeAsyncIterator()) }
}

/// Thrown when two tasks read the messages of one socket at the same time.
public struct ConcurrentReadError: Error, CustomStringConvertible {
    /// A description.
    public var description: String { "another task is reading this socket's messages" }
}
