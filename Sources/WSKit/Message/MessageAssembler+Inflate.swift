import Compression
import NIOCore

/// Compressed messages (RFC 7692 §6.2).
///
/// A kilobyte can inflate to a megabyte. The bytes inflated of an incomplete message are therefore limited to a small
/// multiple of the bytes that have arrived, and the rest stays compressed. When ``quota`` is used up, inflating pauses
/// until the connection has its next turn.
extension MessageAssembler {
    /// Masked bytes are unmasked in pieces of this size on their way to the decompressor.
    private static let pieceSize = 16 << 10
    /// Up to this size the beginning of a message stays compressed, because a decompressor would take more memory.
    private static let heldSize = 4 << 10
    /// How many times its compressed size a message may inflate to before its end has arrived.
    private static let aheadFactor = 4

    /// Reads the available part of a frame's payload.
    ///
    /// - Returns: whether inflating paused with input left: a part is full and must be delivered first, or the quota is
    ///   used up.
    mutating func inflate(_ header: FrameHeader, _ offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError) -> Bool
    {
        let isWhole = header.isFinal && input.readableBytes >= header.length - offset
        guard isWhole || deliversInParts else {
            hold(header, &offset, &input)
            try inflateAhead()
            return false
        }
        if held.readableBytes > 0, try inflateHeld(upTo: .max) { return true }
        while offset < header.length, input.readableBytes > 0 {
            let count = min(header.length - offset, input.readableBytes, Self.pieceSize)
            let used: (consumed: Int, isPaused: Bool)
            if let mask = header.mask, let shared = inflater?.scratch {
                var scratch = shared.takeScratch()
                Mask.append(
                    input.readableBytesSpan.extracting(first: count), key: mask, phase: offset, to: &scratch)
                defer { shared.returnScratch(scratch) }
                used = try inflatePiece(scratch.readableBytesSpan, upTo: .max)
            } else {
                used = try inflatePiece(input.readableBytesSpan.extracting(first: count), upTo: .max)
            }
            input.moveReaderIndex(forwardBy: used.consumed)
            offset += used.consumed
            countReceived(used.consumed)
            if used.isPaused { return true }
        }
        return false
    }

    private mutating func hold(_ header: FrameHeader, _ offset: inout Int, _ input: inout ByteBuffer) {
        let count = min(header.length - offset, input.readableBytes)
        guard count > 0 else { return }
        if let mask = header.mask {
            Mask.append(
                input.readableBytesSpan.extracting(first: count), key: mask, phase: offset, to: &held)
        } else {
            held.writeBytes(input.readableBytesSpan.extracting(first: count))
        }
        input.moveReaderIndex(forwardBy: count)
        offset += count
        countReceived(count)
    }

    /// Inflates held bytes, as far as the number of received bytes allows.
    private mutating func inflateAhead() throws(WSError) {
        guard let received = assembly?.received, received > Self.heldSize, held.readableBytes > 0 else {
            return
        }
        _ = try inflateHeld(upTo: received &* Self.aheadFactor)
    }

    /// Inflates held bytes until the payload has that size. Returns whether some are left.
    private mutating func inflateHeld(upTo size: Int) throws(WSError) -> Bool {
        var bytes = ByteBuffer()
        swap(&bytes, &held)
        let used = try inflatePiece(bytes.readableBytesSpan, upTo: size)
        bytes.moveReaderIndex(forwardBy: used.consumed)
        // The rest is moved only when it is the smaller part, so that many small steps do not move it each time.
        if bytes.readerIndex > bytes.readableBytes { bytes.discardReadBytes() }
        swap(&bytes, &held)
        return used.isPaused
    }

    /// Inflates `bytes`, as far as there is room.
    private mutating func inflatePiece(_ bytes: RawSpan, upTo size: Int) throws(WSError) -> (
        consumed: Int, isPaused: Bool
    ) {
        let limit = room
        let room = min(limit, quota, max(0, size - payload.readableBytes))
        guard room > 0 || limit == 0 else { return (0, true) }
        let start = payload.readableBytes
        let failure: CompressionError?
        var progress: Inflater.Progress?
        do throws(CompressionError) {
            progress = try inflater?.inflate(bytes, into: &payload, room: room)
            if let progress, progress.isFull, room == limit, !deliversInParts {
                try inflater?.inflateAtLimit(bytes.extracting(droppingFirst: progress.consumed))
            }
            failure = nil
        } catch {
            failure = error
        }
        spend(payload.readableBytes - start)
        // If the output before a failure is already invalid text, that is the first violation.
        try checkText()
        if let failure { throw WSError(failure, limit: limits.maxMessageSize) }
        guard let progress, progress.isFull, room < limit || deliversInParts else {
            return (bytes.byteCount, false)
        }
        return (progress.consumed, true)
    }

    /// Inflates the end of the message. Returns whether inflating paused: a part is full, or the quota is used up.
    mutating func finishInflating() throws(WSError) -> Bool {
        let limit = room
        let room = min(limit, quota)
        let start = payload.readableBytes
        let failure: CompressionError?
        var isWhole = true
        do throws(CompressionError) {
            isWhole = try inflater?.finish(into: &payload, room: room) ?? true
            if !isWhole, room == limit, !deliversInParts {
                try inflater?.finishAtLimit()
                isWhole = true
            }
            failure = nil
        } catch {
            failure = error
        }
        spend(payload.readableBytes - start)
        try checkText()
        if let failure { throw WSError(failure, limit: limits.maxMessageSize) }
        return !isWhole
    }

    private mutating func spend(_ count: Int) {
        quota -= count
        inflater?.scratch.processedBytes &+= count
    }

    private var deliversInParts: Bool { assembly?.delivery == .parts }

    /// How many more bytes the message or the part may have.
    private var room: Int {
        let limit = deliversInParts ? max(1, limits.partSize) : limits.maxMessageSize
        return max(0, limit - payload.readableBytes)
    }
}
