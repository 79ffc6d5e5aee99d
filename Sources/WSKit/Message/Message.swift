public import NIOCore

/// A whole message (RFC 6455 §5.6): text, which is always valid UTF-8, or binary data.
public struct Message: Sendable, Hashable {
    /// Whether a message is text or binary.
    public enum Kind: Sendable, Hashable {
        /// UTF-8 text.
        case text
        /// Binary data.
        case binary
    }

    /// Whether the message is text or binary.
    public let kind: Kind
    /// The payload, after decompression.
    public let payload: ByteBuffer

    /// Creates a text message.
    public init(text: String) {
        kind = .text
        payload = ByteBuffer(string: text)
    }

    /// Creates a binary message.
    public init(binary: ByteBuffer) {
        kind = .binary
        payload = binary
    }

    /// Creates a binary message from a sequence of bytes.
    public init(binary: some Sequence<UInt8>) {
        self.init(binary: ByteBuffer(bytes: binary))
    }

    /// Creates a text message from bytes in UTF-8. Returns `nil` if they are not valid UTF-8.
    public init?(utf8: ByteBuffer) {
        guard UTF8Validator.isValid(utf8.readableBytesSpan) else { return nil }
        self.init(kind: .text, payload: utf8)
    }

    /// Creates a message whose payload has been validated.
    package init(kind: Kind, payload: ByteBuffer) {
        self.kind = kind
        self.payload = payload
    }

    /// The text; `nil` for a binary message.
    public var text: String? {
        kind == .text ? String(buffer: payload) : nil
    }

    /// The size of the payload in bytes.
    public var count: Int { payload.readableBytes }
}

extension Message.Kind {
    var opcode: Opcode { self == .text ? .text : .binary }
}
