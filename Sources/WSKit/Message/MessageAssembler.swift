import Compression
package import NIOCore

/// Puts messages together from the payloads of their frames (RFC 6455 §5.4, RFC 7692 §6.2).
///
/// Bytes are unmasked, decompressed and checked as they arrive. What is kept grows with what has arrived, never with
/// what a header announces or what a few bytes would inflate to: see `MessageAssembler+Inflate.swift`.
package struct MessageAssembler {
    /// In which shape messages are handed over.
    package enum Delivery: Sendable {
        /// At their end, as one value, within the limit.
        case whole
        /// As they arrive, in parts, without a bound on their sum. Parts of a text may end within a character.
        case parts
    }

    /// What came of reading.
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
        /// The payload that its frames have announced.
        var wireOctets = 0
        /// The payload that has arrived, as on the wire.
        var received = 0
        var tinyFragments = 0
    }

    /// How messages are handed over that begin from now on; a whole one under way turns into parts at once.
    package var delivery: Delivery {
        didSet { if delivery == .parts { assembly?.delivery = .parts } }
    }

    let shared: SharedLimits
    var limits: WSLimits { shared.value }
    /// The message under way.
    private(set) var assembly: Assembly?
    /// Counts the messages that did not arrive at once, to tell one from the next.
    private var assemblies: UInt32 = 0
    /// The message's bytes so far, or those of the part under way.
    var payload = ByteBuffer()
    /// Compressed bytes of the message that have arrived and are not inflated yet.
    var held = ByteBuffer()
    /// How many bytes may still come out of the decompressor before other connections have their turn.
    package var quota = Int.max
    /// How much of `payload` the validator has seen.
    private var checked = 0
    /// The decompressor, when one was negotiated.
    package var inflater: MessageInflater?

    /// Below this size a payload is copied out of the read buffer, which it would otherwise keep alive.
    private static let smallestSlice = 4 << 10

    /// An assembler; `inflater` when permessage-deflate was negotiated.
    package init(limits: SharedLimits, inflater: MessageInflater?, delivery: Delivery) {
        shared = limits
        self.inflater = inflater
        self.delivery = delivery
    }

    /// An assembler with limits of its own.
    package init(limits: WSLimits, inflater: MessageInflater?, delivery: Delivery) {
        self.init(limits: SharedLimits(limits), inflater: inflater, delivery: delivery)
    }

    /// A message has begun and not ended.
    package var isInMessage: Bool { assembly != nil }

    /// Judges the header of a data frame before an octet of its payload is taken.
    ///
    /// - Throws: a wrong order of frames, or a limit that its payload would pass.
    package mutating func admit(_ header: FrameHeader) throws(WSError) {
        guard header.length <= limits.maxFrameSize else { throw .frameTooLarge(limit: limits.maxFrameSize) }
        if header.opcode == .continuation {
            guard assembly != nil else { throw .unexpectedContinuation }
        } else {
            guard assembly == nil else { throw .expectedContinuation }
            // A message in one plain frame needs no assembly: the most frequent case stays cheap.
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
        assemblies &+= 1
        assembly = Assembly(
            kind: header.opcode == .text ? .text : .binary, isCompressed: header.isCompressed,
            delivery: delivery)
    }

    private mutating func count(_ header: FrameHeader) throws(WSError) {
        guard let current = assembly else { return }
        if current.delivery == .whole {
            // Deflate may add a little to octets that do not shrink; far more can only be padding.
            let slack = current.isCompressed ? limits.maxMessageSize / 256 &+ 1024 : 0
            guard header.length <= limits.maxMessageSize.saturatingAdd(slack) - current.wireOctets else {
                throw .messageTooLarge(limit: limits.maxMessageSize)
            }
            assembly?.wireOctets += header.length
        }
        if !header.isFinal, header.length < limits.tinyFragmentSize {
            assembly?.tinyFragments += 1
            guard current.tinyFragments < limits.maxTinyFragments else {
                throw .tooManyTinyFragments(limit: limits.maxTinyFragments)
            }
        }
    }

    /// A whole message in one frame whose payload is all in `input`; nil when it must go the long way.
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
            // The rest of the read buffer must not be kept alive by a small part of it.
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
        // Unmasked in place it would be copied all the same: the transport's pool holds the storage too.
        var payload = FrameEncoder.payloadBuffer(for: header, reserves: true)
        Mask.append(
            input.readableBytesSpan.extracting(first: header.length), key: mask, phase: 0, to: &payload)
        input.moveReaderIndex(forwardBy: header.length)
        return payload
    }

    /// Reads what `input` has of a frame's payload, from `offset` on, which moves along.
    package mutating func read(_ header: FrameHeader, offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError) -> Step
    {
        // A single frame that has not arrived at once.
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
            // Of the announced length nothing is reserved: it need not be true.
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
        arrived(count)
        try checkText()
    }

    /// Counts bytes of the message under way, as on the wire.
    mutating func arrived(_ count: Int) { assembly?.received &+= count }

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
        let octets = takePayload()
        switch ended.delivery {
        case .whole: return .message(Message(kind: ended.kind, payload: octets))
        case .parts: return .part(ended.kind, octets, isFinal: true)
        }
    }

    private mutating func partIfAny(else step: Step) -> Step {
        guard let assembly, assembly.delivery == .parts, payload.readableBytes > 0 else { return step }
        return .part(assembly.kind, takePayload(), isFinal: false)
    }

    private mutating func takePayload() -> ByteBuffer {
        let octets = payload
        payload = ByteBuffer()
        checked = 0
        if assembly == nil { held = ByteBuffer() }
        return octets
    }

    // MARK: The message under way

    /// How far a message is that has begun and not ended.
    package struct Progress: Equatable, Sendable {
        /// Tells the message from the one before it.
        package var number: UInt32
        /// The payload that has arrived, as on the wire.
        package var received: Int
        /// The memory that it holds, about.
        package var heldBytes: Int
        /// It is handed over in parts.
        package var isInParts: Bool
    }

    /// The message under way; nil between messages.
    package var progress: Progress? {
        guard let assembly else { return nil }
        let codec = inflater?.messageMemory ?? 0
        return Progress(
            number: assemblies, received: assembly.received,
            heldBytes: payload.capacity + held.capacity + codec, isInParts: assembly.delivery == .parts)
    }

    /// Forgets the message under way: nothing more of it is read.
    package mutating func discard() {
        assembly = nil
        _ = takePayload()
        inflater?.discardMessage()
    }
}

extension Int {
    /// The sum, or the largest number when it is larger.
    func saturatingAdd(_ other: Int) -> Int {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}
