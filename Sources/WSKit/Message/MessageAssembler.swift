import Compression
package import NIOCore

/// Puts messages together from the payloads of their frames (RFC 6455 §5.4, RFC 7692 §6.2).
///
/// Octets are unmasked, decompressed and checked as they arrive. What is kept grows with what has arrived,
/// never with what a header announces.
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

    private struct Assembly {
        let kind: Message.Kind
        let isCompressed: Bool
        var delivery: Delivery
        var utf8 = UTF8Validator()
        var wireOctets = 0
        var tinyFragments = 0
    }

    /// How messages are handed over that begin from now on; a whole one under way turns into parts at once.
    package var delivery: Delivery {
        didSet { if delivery == .parts { assembly?.delivery = .parts } }
    }

    private let shared: SharedLimits
    var limits: WSLimits { shared.value }
    /// The message under way.
    private var assembly: Assembly?
    /// Its octets so far, or those of the part under way.
    private var payload = ByteBuffer()
    /// How much of `payload` the validator has seen.
    private var checked = 0
    /// The decompressor, when one was negotiated.
    package var inflater: MessageInflater?

    /// Masked octets are unmasked in pieces of this size on their way to the decompressor.
    private static let pieceSize = 16 << 10
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
            assembly = Assembly(
                kind: header.opcode == .text ? .text : .binary, isCompressed: header.isCompressed,
                delivery: delivery)
        }
        try count(header)
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
        if assembly == nil {
            // A single frame that has not arrived at once.
            assembly = Assembly(
                kind: header.opcode == .text ? .text : .binary, isCompressed: false, delivery: delivery)
        }
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
        try checkText()
    }

    /// True when a part is full: then there may be more, and it is to be handed over first.
    private mutating func inflate(_ header: FrameHeader, _ offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError) -> Bool
    {
        while offset < header.length, input.readableBytes > 0 {
            let count = min(header.length - offset, input.readableBytes, Self.pieceSize)
            let used: (consumed: Int, isFull: Bool)
            if let mask = header.mask, let shared = inflater?.scratch {
                var scratch = shared.takeScratch()
                Mask.append(
                    input.readableBytesSpan.extracting(first: count), key: mask, phase: offset, to: &scratch)
                defer { shared.giveBackScratch(scratch) }
                used = try inflatePiece(scratch.readableBytesSpan)
            } else {
                used = try inflatePiece(input.readableBytesSpan.extracting(first: count))
            }
            input.moveReaderIndex(forwardBy: used.consumed)
            offset += used.consumed
            if used.isFull { return true }
        }
        return false
    }

    private mutating func inflatePiece(_ octets: RawSpan) throws(WSError) -> (consumed: Int, isFull: Bool) {
        let room = room
        let failure: CompressionError?
        var progress: Inflater.Progress?
        do throws(CompressionError) {
            progress = try inflater?.inflate(octets, into: &payload, room: room)
            if let progress, progress.isFull, !handsOutParts {
                try inflater?.inflateNothing(octets.extracting(droppingFirst: progress.consumed))
            }
            failure = nil
        } catch {
            failure = error
        }
        // What came out before a failure may already be no text: then that is the first violation.
        try checkText()
        if let failure { throw WSError(failure, limit: limits.maxMessageSize) }
        guard let progress, progress.isFull, handsOutParts else { return (octets.byteCount, false) }
        return (progress.consumed, true)
    }

    /// True when a part is full: then there may be more, and it is to be handed over first.
    private mutating func finishInflating() throws(WSError) -> Bool {
        let room = room
        let failure: CompressionError?
        var isWhole = true
        do throws(CompressionError) {
            isWhole = try inflater?.finish(into: &payload, room: room) ?? true
            if !isWhole, !handsOutParts {
                try inflater?.finishNothing()
                isWhole = true
            }
            failure = nil
        } catch {
            failure = error
        }
        try checkText()
        if let failure { throw WSError(failure, limit: limits.maxMessageSize) }
        return !isWhole
    }

    private var handsOutParts: Bool { assembly?.delivery == .parts }

    /// How many octets may still come out.
    private var room: Int {
        let limit = handsOutParts ? max(1, limits.partSize) : limits.maxMessageSize
        return max(0, limit - payload.readableBytes)
    }

    private mutating func checkText() throws(WSError) {
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
        return octets
    }
}

extension Int {
    /// The sum, or the largest number when it is larger.
    func saturatingAdd(_ other: Int) -> Int {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? .max : sum
    }
}
