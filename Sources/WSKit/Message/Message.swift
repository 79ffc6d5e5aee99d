public import NIOCore

/// A whole message (RFC 6455 §5.6): text, which is valid UTF-8, or binary.
public struct Message: Sendable, Hashable {
    /// What a message holds.
    public enum Kind: Sendable, Hashable {
        /// UTF-8 text.
        case text
        /// Any octets.
        case binary
    }

    /// What the message holds.
    public let kind: Kind
    /// Its octets, after decompression.
    public let payload: ByteBuffer

    /// A text message.
    public init(text: String) {
        kind = .text
        payload = ByteBuffer(string: text)
    }

    /// A binary message.
    public init(binary: ByteBuffer) {
        kind = .binary
        payload = binary
    }

    /// A binary message of some octets.
    public init(binary: some Sequence<UInt8>) {
        self.init(binary: ByteBuffer(bytes: binary))
    }

    /// A text message of octets that are known to be UTF-8: nil when they are not.
    public init?(utf8: ByteBuffer) {
        guard UTF8Validator.isValid(utf8.readableBytesSpan) else { return nil }
        self.init(kind: .text, payload: utf8)
    }

    /// A message whose octets have been checked.
    package init(kind: Kind, payload: ByteBuffer) {
        self.kind = kind
        self.payload = payload
    }

    /// The text; nil for a binary message.
    public var text: String? {
        kind == .text ? String(buffer: payload) : nil
    }

    /// The number of octets.
    public var count: Int { payload.readableBytes }
}

extension Message.Kind {
    var opcode: Opcode { self == .text ? .text : .binary }
}
