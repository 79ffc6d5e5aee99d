import Compression
package import NIOCore

/// Assembles messages from the payloads of their frames (RFC 6455 §5.4, RFC 7692 §6.2).
///
/// Bytes are unmasked, decompressed and validated as they arrive. The memory of an unfinished message is proportional
/// to the bytes that have arrived, not to the size that a header announces or to what a few bytes would inflate to: see
/// `MessageAssembler+Inflate.swift`.
package struct MessageAssembler {
    /// Whether messages are delivered whole or in parts.
    package enum Delivery: Sendable {
        /// Each message is delivered when it is complete. Its size is limited.
        case whole
        /// Messages are delivered in parts as they arrive. Their size is not limited. A part of a text may end within a
        /// character.
        case parts
    }

    /// The result of reading.
    package enum Step {
        case needMore
        case frameEnded
        case message(Message)
        case part(Message.Kind, ByteBuffer, isFinal: Bool)
    }

    struct Assembly {
        let kind: Message.Kind
        let isCompressed: Bool
        var delivery: Delivery
        var utf8 = UTF8Validator()
        /// The sum of the payload sizes of its frames so far.
        var announcedBytes = 0
        /// The payload bytes that have arrived, counted as sent on the wire.
        var received = 0
        var tinyFragments = 0
    }

    /// How messages that begin from now on are delivered. Changing it to `.parts` also applies to the unfinished message.
    package var delivery: Delivery {
        didSet { if delivery == .parts { assembly?.delivery = .parts } }
    }

    let shared: SharedLimits
    var limits: WSLimits { shared.value }
    /// The unfinished message.
    private(set) var assembly: Assembly?
    /// Counts the messages that did not arrive at once, to distinguish one from the next.
    private var assemblyCount: UInt32 = 0
    /// The payload of the message so far, or of the current part.
    var payload = ByteBuffer()
    /// Compressed bytes of the message that have arrived but have not been inflated yet.
    var held = ByteBuffer()
    /// How many bytes the decompressor may still produce before other connections have their turn.
    package var quota = Int.max
    /// How many bytes of `payload` have been validated.
    private var checked = 0
    /// The decompressor; `nil` without permessage-deflate.
    package var inflater: MessageInflater?

    /// Payloads smaller than this are copied, because a slice would keep the whole read buffer alive.
    private static let smallestSlice = 4 << 10

    /// Creates an assembler. `inflater` is `nil` without permessage-deflate.
    package init(limits: SharedLimits, inflater: MessageInflater?, delivery: Delivery) {
        shared = limits
        self.inflater = inflater
        self.delivery = delivery
    }

    /// Creates an assembler with limits of its own.
    package init(limits: WSLimits, inflater: MessageInflater?, delivery: Delivery) {
        self.init(limits: SharedLimits(limits), inflater: inflater, delivery: delivery)
    }

    /// Whether a message has begun and not ended.
    package var isInMessage: Bool { assembly != nil }

    /// Checks the header of a data frame before any of its payload is read.
    ///
    /// - Throws: an error if the frame is out of order or its payload would exceed a limit.
    package mutating func admit(_ header: FrameHeader) throws(WSError) {
        guard header.length <= limits.maxFrameSize else { throw .frameTooLarge(limit: limits.maxFrameSize) }
        if header.opcode == .continuation {
            guard assembly != nil else { throw .unexpectedContinuation }
        } else {
            guard assembly == nil else { throw .expectedContinuation }
            // Fast path for the most frequent case: a message in a single uncompressed frame needs no assembly.
            if header.isFinal, !header.isCompressed, delivery == .whole {
                guard header.length <= limits.maxMessageSize else {
                    throw .messageTooLarge(limit: limits.maxMessageSize)
                }
                return
            }
            begin(header)
        }
        try count(header)
    }

    private mutating func begin(_ header: FrameHeader) {
        assemblyCount &+= 1
        assembly = Assembly(
            kind: header.opcode == .text ? .text : .binary, isCompressed: header.isCompressed,
            delivery: delivery)
    }

    private mutating func count(_ header: FrameHeader) throws(WSError) {
        guard let current = assembly else { return }
        if current.delivery == .whole {
            // Deflate adds a little to incompressible data. Anything beyond this slack can only be padding.
            let slack = current.isCompressed ? limits.maxMessageSize / 256 &+ 1024 : 0
            guard header.length <= limits.maxMessageSize.saturatingAdd(slack) - current.announcedBytes else {
                throw .messageTooLarge(limit: limits.maxMessageSize)
            }
            assembly?.announcedBytes += header.length
        }
        if !header.isFinal, header.length < limits.tinyFragmentSize {
            assembly?.tinyFragments += 1
            guard current.tinyFragments < limits.maxTinyFragments else {
                throw .tooManyTinyFragments(limit: limits.maxTinyFragments)
            }
        }
    }

    /// Reads a message in a single frame whose whole payload is in `input`. Returns `nil` if it must be assembled.
    @inline(__always)
    package mutating func readWhole(_ header: FrameHeader, _ input: inout ByteBuffer) throws(WSError)
        -> Message?
    {
        guard assembly == nil, input.readableBytes >= header.length else { return nil }
        let kind: Message.Kind = header.opcode == .text ? .text : .binary
        let payload = take(header, &input)
        if kind == .text, !UTF8Validator.isValid(payload.readableBytesSpan) { throw .invalidUTF8 }
        return Message(kind: kind, payload: payload)
    }

    private func take(_ header: FrameHeader, _ input: inout ByteBuffer) -> ByteBuffer {
        guard header.length > 0 else { return ByteBuffer() }
        guard let mask = header.mask else {
            // A small slice must not keep a large read buffer alive.
            if header.length >= Self.smallestSlice, header.length >= input.capacity / 2,
                let slice = input.readSlice(length: header.length)
            {
                return slice
            }
            var payload = ByteBufferAllocator().buffer(capacity: header.length)
            payload.writeBytes(input.readableBytesSpan.extracting(first: header.length))
            input.moveReaderIndex(forwardBy: header.length)
            return payload
        }
        // Unmasking in place would copy as well, because the transport's buffer pool shares the storage.
        var payload = FrameEncoder.payloadBuffer(for: header, reserves: true)
        Mask.append(
            input.readableBytesSpan.extracting(first: header.length), key: mask, phase: 0, to: &payload)
        input.moveReaderIndex(forwardBy: header.length)
        return payload
    }

    /// Reads the available part of a frame's payload. `offset` is the position in the payload and advances.
    package mutating func read(_ header: FrameHeader, offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError) -> Step
    {
        // A single frame that has not arrived completely.
        if assembly == nil { begin(header) }
        guard let isCompressed = assembly?.isCompressed else { return .needMore }
        if isCompressed {
            if try inflate(header, &offset, &input) { return partIfAny(else: .needMore) }
        } else {
            try append(header, &offset, &input)
        }
        guard offset >= header.length else { return partIfAny(else: .needMore) }
        guard header.isFinal else { return partIfAny(else: .frameEnded) }
        if isCompressed, try finishInflating() { return partIfAny(else: .needMore) }
        return try finish()
    }

    private mutating func append(_ header: FrameHeader, _ offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError)
    {
        let count = min(header.length - offset, input.readableBytes)
        guard count > 0 else { return }
        if offset == 0, payload.capacity == 0 {
            // Reserves nothing for the announced length, which may be a lie.
            payload = FrameEncoder.payloadBuffer(for: header, reserves: false)
        }
        if let mask = header.mask {
            Mask.append(
                input.readableBytesSpan.extracting(first: count), key: mask, phase: offset, to: &payload)
        } else {
            payload.writeBytes(input.readableBytesSpan.extracting(first: count))
        }
        input.moveReaderIndex(forwardBy: count)
        offset += count
        countReceived(count)
        try checkText()
    }

    /// Counts received bytes of the message, as sent on the wire.
    mutating func countReceived(_ count: Int) { assembly?.received &+= count }

    mutating func checkText() throws(WSError) {
        guard var utf8 = assembly?.utf8, assembly?.kind == .text, checked < payload.readableBytes else {
            return
        }
        let invalid = utf8.firstInvalid(in: payload.readableBytesSpan.extracting(droppingFirst: checked))
        guard invalid == nil else { throw .invalidUTF8 }
        assembly?.utf8 = utf8
        checked = payload.readableBytes
    }

    private mutating func finish() throws(WSError) -> Step {
        guard let ended = assembly, ended.kind == .binary || ended.utf8.isComplete else { throw .invalidUTF8 }
        assembly = nil
        let bytes = takePayload()
        switch ended.delivery {
        case .whole: return .message(Message(kind: ended.kind, payload: bytes))
        case .parts: return .part(ended.kind, bytes, isFinal: true)
        }
    }

    private mutating func partIfAny(else step: Step) -> Step {
        guard let assembly, assembly.delivery == .parts, payload.readableBytes > 0 else { return step }
        return .part(assembly.kind, takePayload(), isFinal: false)
    }

    private mutating func takePayload() -> ByteBuffer {
        let bytes = payload
        payload = ByteBuffer()
        checked = 0
        if assembly == nil { held = ByteBuffer() }
        return bytes
    }

    // MARK: The unfinished message

    /// The progress of an unfinished message.
    package struct Progress: Equatable, Sendable {
        /// Distinguishes the message from the previous one.
        package var number: UInt32
        /// The payload bytes that have arrived, counted as sent on the wire.
        package var received: Int
        /// The approximate memory of the message.
        package var heldBytes: Int
        /// Whether it is delivered in parts.
        package var isInParts: Bool
    }

    /// The progress of the unfinished message; `nil` between messages.
    package var progress: Progress? {
        guard let assembly else { return nil }
        let codec = inflater?.messageMemory ?? 0
        return Progress(
            number: assemblyCount, received: assembly.received,
            heldBytes: payload.capacity + held.capacity + codec, isInParts: assembly.delivery == .parts)
    }

    /// Drops the unfinished message.
    package mutating func discard() {
        assembly = nil
        _ = takePayload()
        inflater?.discardMessage()
    }
}

extension Int {
    /// The sum, or `Int.max` if it overflows.
    func saturatingAdd(_ other: Int) -> Int {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}
