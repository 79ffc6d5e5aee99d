public import HTTPKit

/// The messages of a socket, as they come.
public struct WebSocketMessages: AsyncSequence, Sendable {
    let connection: WebSocketConnection

    /// Reads one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let connection: WebSocketConnection

        /// The next message; `nil` when the connection has ended.
        ///
        /// - Throws: `ConcurrentReadError` when another task is reading already, `CancellationError`; no message is
        ///   lost by that.
        public mutating func next() async throws -> Message? { try await connection.nextMessage() }
    }

    /// Begins to read; messages that have come already are not lost.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
}

/// The messages of a socket in the parts they arrive in (`WebSocketOptions.deliversParts`): constant memory for
/// messages of any size.
public struct WebSocketParts: AsyncSequence, Sendable {
    let connection: WebSocketConnection

    /// Reads one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let connection: WebSocketConnection

        /// The next part; `nil` when the connection has ended.
        public mutating func next() async throws -> MessagePart? { try await connection.nextPart() }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
}

/// The text messages of a socket.
public struct WebSocketTexts: AsyncSequence, Sendable {
    let messages: WebSocketMessages

    /// Reads one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var messages: WebSocketMessages.AsyncIterator

        /// The next text; `nil` when the connection has ended.
        public mutating func next() async throws -> String? {
            while let message = try await messages.next() {
                if let text = message.text { return text }
            }
            return nil
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(messages: messages.makeAsyncIterator()) }
}

/// The messages of a socket, decoded from JSON.
public struct WebSocketValues<Value: Decodable & Sendable>: AsyncSequence, Sendable {
    let messages: WebSocketMessages

    /// Reads one after the other.
    public struct AsyncIterator: AsyncIteratorProtocol {
        var messages: WebSocketMessages.AsyncIterator

        /// The next value, or why a message is none; `nil` when the connection has ended.
        public mutating func next() async throws -> Result<Value, JSONContentError>? {
            guard let message = try await messages.next() else { return nil }
            return Result { () throws(JSONContentError) in try JSON.decode(Value.self, from: message.payload)
            }
        }
    }

    /// Begins to read.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(messages: messages.makeAsyncIterator()) }
}

/// Two tasks read the messages of one socket.
public struct ConcurrentReadError: Error, CustomStringConvertible {
    /// Says so.
    public var description: String { "another task is reading this socket's messages" }
}
