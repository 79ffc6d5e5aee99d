import DequeModule
public import NIOCore

/// A piece of a message as it arrives; a whole message is one piece that is the last.
public struct MessagePart: Sendable {
    /// Whether the message is text or binary.
    public let kind: Message.Kind
    /// The octets of this piece; text may be cut between the octets of a character.
    public let data: ByteBuffer
    /// Whether the message ends with it.
    public let isFinal: Bool
}

/// What has been received and not yet read by the application; confined to the connection's event loop.
struct Inbox {
    private var parts = Deque<MessagePart>()
    private var octets = 0
    private var waiter: UnsafeContinuation<Void, Never>?
    private(set) var isEnded = false

    var isAwaited: Bool { waiter != nil }

    /// Whether so much waits that the peer is held back.
    func isFull(maxMessages: Int, maxOctets: Int) -> Bool {
        parts.count >= maxMessages || octets >= maxOctets
    }

    /// Adds a part and wakes the reader.
    mutating func push(_ part: MessagePart) {
        guard !isEnded else { return }
        octets += part.data.readableBytes
        parts.append(part)
        wake()
    }

    mutating func pop() -> MessagePart? {
        guard let part = parts.popFirst() else { return nil }
        octets -= part.data.readableBytes
        return part
    }

    /// Nothing more comes; what waits can still be read.
    mutating func end() {
        isEnded = true
        wake()
    }

    /// The reader was cancelled: it is woken to see that.
    mutating func wakeReader() { wake() }

    /// Gives back the room that a burst has taken.
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
