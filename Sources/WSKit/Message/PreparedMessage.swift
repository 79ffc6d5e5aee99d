package import NIOCore
import Synchronization

/// A message for many connections. It is encoded when first needed, and only once for each set of compression
/// parameters.
///
/// A prepared message may be sent from any event loop.
public final class PreparedMessage: Sendable {
    /// The message itself.
    public let message: Message
    /// Whether the message may be compressed. Set it to `false` if the message contains a secret together with text that
    /// an attacker can choose (CRIME).
    public let compress: Bool

    fileprivate enum Deflated {
        case frame(ByteBuffer)
        case doesNotShrink
    }

    private struct Forms {
        var plain: ByteBuffer?
        /// By level and window bits. There is rarely more than one.
        var deflated: [(level: Int, windowBits: Int, form: Deflated)] = []
    }

    private let forms = Mutex(Forms())

    /// Prepares `message`. Nothing is encoded yet.
    public init(_ message: Message, compress: Bool = true) {
        self.message = message
        self.compress = compress
    }

    /// The message as a single uncompressed frame from a server.
    package var plainFrame: ByteBuffer {
        forms.withLock { forms in
            if let frame = forms.plain { return frame }
            let header = FrameHeader(opcode: message.kind.opcode, length: message.count)
            let payload = message.payload
            var frame = ByteBuffer()
            FrameEncoder.write(header, payload.readableBytesSpan, into: &frame)
            forms.plain = frame
            return frame
        }
    }

    /// Returns the message as a single compressed frame from a server, compressed with an empty history and a window of
    /// that size. Returns `nil` if that would not be smaller.
    ///
    /// - Throws: ``WSError/outOfMemory``.
    func deflatedFrame(windowBits: Int, level: Int, shared: SharedDeflate) throws(WSError) -> ByteBuffer? {
        let existing = forms.withLock { forms in
            forms.deflated.first { $0.windowBits == windowBits && $0.level == level }?.form
        }
        if let existing { return existing.buffer }
        // Two loops may get here at the same time. They produce the same bytes, and the first result is stored.
        let created = try Self.deflate(message, windowBits: windowBits, level: level, shared: shared)
        forms.withLock { forms in
            if !forms.deflated.contains(where: { $0.windowBits == windowBits && $0.level == level }) {
                forms.deflated.append((level, windowBits, created))
            }
        }
        return created.buffer
    }

    private static func deflate(_ message: Message, windowBits: Int, level: Int, shared: SharedDeflate)
        throws(WSError) -> Deflated
    {
        guard message.count > 0, MessageDeflater.canCompress(message.count, windowBits: windowBits) else {
            return .doesNotShrink
        }
        var bytes = ByteBuffer()
        do {
            try shared.compress(
                message.payload.readableBytesSpan, windowBits: windowBits, level: level, into: &bytes)
        } catch {
            throw WSError(error, limit: 0)
        }
        guard bytes.readableBytes < message.count else { return .doesNotShrink }
        let header = FrameHeader(
            isCompressed: true, opcode: message.kind.opcode, length: bytes.readableBytes)
        var frame = ByteBuffer()
        FrameEncoder.write(header, bytes.readableBytesSpan, into: &frame)
        return .frame(frame)
    }
}

extension PreparedMessage.Deflated {
    fileprivate var buffer: ByteBuffer? {
        if case .frame(let buffer) = self { buffer } else { nil }
    }
}

/// The frames of one prepared message, while an event loop sends it to many sockets.
///
/// Each frame is read from the message once and then kept here, so that sending to each socket takes no lock.
struct PreparedFrames {
    let message: PreparedMessage
    private var plain: ByteBuffer?
    /// The last used compressed frame: the sockets of one endpoint usually need the same. The frame is `nil` if the message
    /// does not shrink.
    private var deflated: (windowBits: Int, level: Int, frame: ByteBuffer?)?

    init(_ message: PreparedMessage) { self.message = message }

    mutating func plainFrame() -> ByteBuffer {
        if let plain { return plain }
        let frame = message.plainFrame
        plain = frame
        return frame
    }

    /// Returns `nil` if the compressed frame would not be smaller.
    ///
    /// - Throws: ``WSError/outOfMemory``.
    mutating func deflatedFrame(windowBits: Int, level: Int, shared: SharedDeflate) throws(WSError)
        -> ByteBuffer?
    {
        if let deflated, deflated.windowBits == windowBits, deflated.level == level { return deflated.frame }
        let frame = try message.deflatedFrame(windowBits: windowBits, level: level, shared: shared)
        deflated = (windowBits, level, frame)
        return frame
    }
}
