import Compression
import NIOCore

/// The compressed messages (RFC 7692 §6.2).
///
/// A kilobyte can inflate to a mebibyte. So of a message that has not arrived whole no more is inflated than a small
/// multiple of what has arrived: the rest of it is held as it came. And when ``quota`` is used up, inflating pauses
/// until the connection has its next turn.
extension MessageAssembler {
    /// Masked bytes are unmasked in pieces of this size on their way to the decompressor.
    private static let pieceSize = 16 << 10
    /// Up to this size, the beginning of a message is held as it came: a decompressor would take more memory.
    private static let heldSize = 4 << 10
    /// How many times its size the beginning of a message may inflate to before its end has arrived.
    private static let aheadFactor = 4

    /// Takes what `input` has of a frame's payload.
    ///
    /// - Returns: true when there is more without further bytes: a part is full and must be handed over first, or the
    ///   quota is used up.
    mutating func inflate(_ header: FrameHeader, _ offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError) -> Bool
    {
        let isWhole = header.isFinal && input.readableBytes >= header.length - offset
        guard isWhole || handsOutParts else {
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
                defer { shared.giveBackScratch(scratch) }
                used = try inflatePiece(scratch.readableBytesSpan, upTo: .max)
            } else {
                used = try inflatePiece(input.readableBytesSpan.extracting(first: count), upTo: .max)
            }
            input.moveReaderIndex(forwardBy: used.consumed)
            offset += used.consumed
            arrived(used.consumed)
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
        arrived(count)
    }

    /// Inflates what is held, as far as what has arrived allows.
    private mutating func inflateAhead() throws(WSError) {
        guard let received = assembly?.received, received > Self.heldSize, held.readableBytes > 0 else {
            return
        }
        _ = try inflateHeld(upTo: received &* Self.aheadFactor)
    }

    /// Inflates what is held, until the payload has that size; true when something of it is left.
    private mutating func inflateHeld(upTo size: Int) throws(WSError) -> Bool {
        var octets = ByteBuffer()
        swap(&octets, &held)
        let used = try inflatePiece(octets.readableBytesSpan, upTo: size)
        octets.moveReaderIndex(forwardBy: used.consumed)
        // What is left is moved only when that is the smaller part, however small the steps are.
        if octets.readerIndex > octets.readableBytes { octets.discardReadBytes() }
        swap(&octets, &held)
        return used.isPaused
    }

    /// Inflates `octets`, as far as there is room.
    private mutating func inflatePiece(_ octets: RawSpan, upTo size: Int) throws(WSError) -> (
        consumed: Int, isPaused: Bool
    ) {
        let limit = room
        let room = min(limit, quota, max(0, size - payload.readableBytes))
        guard room > 0 || limit == 0 else { return (0, true) }
        let start = payload.readableBytes
        let failure: CompressionError?
        var progress: Inflater.Progress?
        do throws(CompressionError) {
            progress = try inflater?.inflate(octets, into: &payload, room: room)
            if let progress, progress.isFull, room == limit, !handsOutParts {
                try inflater?.inflateNothing(octets.extracting(droppingFirst: progress.consumed))
            }
            failure = nil
        } catch {
            failure = error
        }
        spend(payload.readableBytes - start)
        // What came out before a failure may already be no text: then that is the first violation.
        try checkText()
        if let failure { throw WSError(failure, limit: limits.maxMessageSize) }
        guard let progress, progress.isFull, room < limit || handsOutParts else {
            return (octets.byteCount, false)
        }
        return (progress.consumed, true)
    }

    /// Takes what the end of the message brings out; true when there is more: a part is full, or the quota is used up.
    mutating func finishInflating() throws(WSError) -> Bool {
        let limit = room
        let room = min(limit, quota)
        let start = payload.readableBytes
        let failure: CompressionError?
        var isWhole = true
        do throws(CompressionError) {
            isWhole = try inflater?.finish(into: &payload, room: room) ?? true
            if !isWhole, room == limit, !handsOutParts {
                try inflater?.finishNothing()
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
        inflater?.scratch.worked &+= count
    }

    private var handsOutParts: Bool { assembly?.delivery == .parts }

    /// How many bytes may still come out, by the size of the message or of the part.
    private var room: Int {
        let limit = handsOutParts ? max(1, limits.partSize) : limits.maxMessageSize
        return max(0, limit - payload.readableBytes)
    }
}
