package import NIOCore
import Synchronization

/// A message for many connections, encoded once for each form it takes on the wire, when first needed.
///
/// It may be sent from any event loop.
public final class PreparedMessage: Sendable {
    /// The message itself.
    public let message: Message
    /// Whether it may be compressed: not when a secret stands beside text that an attacker chooses (CRIME).
    public let compress: Bool

    fileprivate enum Deflated {
        case frame(ByteBuffer)
        case doesNotShrink
    }

    private struct Forms {
        var plain: ByteBuffer?
        /// By level and window bits; seldom more than one.
        var deflated: [(level: Int, windowBits: Int, form: Deflated)] = []
    }

    private let forms = Mutex(Forms())

    /// Prepares `message`; nothing is encoded yet.
    public init(_ message: Message, compress: Bool = true) {
        self.message = message
        self.compress = compress
    }

    /// The message as one frame of a server, uncompressed.
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

    /// The message as one compressed frame of a server, made with an empty history and a window of that size;
    /// nil when it would not be smaller.
    ///
    /// - Throws: ``WSError/outOfMemory``.
    func deflatedFrame(windowBits: Int, level: Int, shared: SharedDeflate) throws(WSError) -> ByteBuffer? {
        let known = forms.withLock { forms in
            forms.deflated.first { $0.windowBits == windowBits && $0.level == level }?.form
        }
        if let known { return known.buffer }
        // Two loops may both come here at once: they make the same octets, and the first to come is kept.
        let made = try Self.deflate(message, windowBits: windowBits, level: level, shared: shared)
        forms.withLock { forms in
            if !forms.deflated.contains(where: { $0.windowBits == windowBits && $0.level == level }) {
                forms.deflated.append((level, windowBits, made))
            }
        }
        return made.buffer
    }

    private static func deflate(_ message: Message, windowBits: Int, level: Int, shared: SharedDeflate)
        throws(WSError) -> Deflated
    {
        guard message.count > 0, MessageDeflater.canCompress(message.count, windowBits: windowBits) else {
            return .doesNotShrink
        }
        var octets = ByteBuffer()
        do {
            try shared.compress(
                message.payload.readableBytesSpan, windowBits: windowBits, level: level, into: &octets)
        } catch {
            throw WSError(error, limit: 0)
        }
        guard octets.readableBytes < message.count else { return .doesNotShrink }
        let header = FrameHeader(
            isCompressed: true, opcode: message.kind.opcode, length: octets.readableBytes)
        var frame = ByteBuffer()
        FrameEncoder.write(header, octets.readableBytesSpan, into: &frame)
        return .frame(frame)
    }
}

extension PreparedMessage.Deflated {
    fileprivate var buffer: ByteBuffer? {
        if case .frame(let buffer) = self { buffer } else { nil }
    }
}

/// The frames of one prepared message while an event loop hands it to many sockets.
///
/// Each form is taken from the message once and then kept here, so that a delivery takes no lock.
struct PreparedFrames {
    let message: PreparedMessage
    private var plain: ByteBuffer?
    /// The compressed form that was needed last: sockets of one endpoint all need the same. The frame is `nil` when the
    /// message does not shrink.
    private var deflated: (windowBits: Int, level: Int, frame: ByteBuffer?)?

    init(_ message: PreparedMessage) { self.message = message }

    mutating func plainFrame() -> ByteBuffer {
        if let plain { return plain }
        let frame = message.plainFrame
        plain = frame
        return frame
    }

    /// `nil` when the compressed frame would not be smaller.
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
