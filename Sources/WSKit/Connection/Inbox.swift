import DequeModule
public import NIOCore

/// A part of a message, delivered as it arrives. A message that is delivered whole is a single, final part.
public struct MessagePart: Sendable {
    /// Whether the message is text or binary.
    public let kind: Message.Kind
    /// The payload of this part. A part of a text may end within a character.
    public let data: ByteBuffer
    /// Whether this is the last part of the message.
    public let isFinal: Bool
}

/// The received messages that the application has not read. Confined to the connection's event loop.
struct Inbox {
    private var parts = Deque<MessagePart>()
    private var bytes = 0
    private var waiter: UnsafeContinuation<Void, Never>?
    private(set) var isEnded = false

    var isAwaited: Bool { waiter != nil }

    /// Whether so much is queued that the connection must stop reading.
    func isFull(maxMessages: Int, maxBytes: Int) -> Bool {
        parts.count >= maxMessages || bytes >= maxBytes
    }

    /// Appends a part and wakes the reader.
    mutating func push(_ part: MessagePart) {
        guard !isEnded else { return }
        bytes += part.data.readableBytes
        parts.append(part)
        wake()
    }

    mutating func pop() -> MessagePart? {
        guard let part = parts.popFirst() else { return nil }
        bytes -= part.data.readableBytes
        return part
    }

    /// Marks the end. The queued parts can still be read.
    mutating func end() {
        isEnded = true
        wake()
    }

    /// Wakes the reader after its task was cancelled.
    mutating func wakeReader() { wake() }

    /// Frees the queue's memory if it is empty.
    mutating func shrink() {
        if parts.isEmpty { parts = Deque() }
    }

    mutating func wait(_ continuation: UnsafeContinuation<Void, Never>) { waiter = continuation }

    private mutating func wake() {
        guard let waiter else { return }
        self.waiter = nil
        waiter.resume()
    }
}
