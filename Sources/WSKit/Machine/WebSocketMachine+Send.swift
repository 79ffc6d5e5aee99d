import Compression
package import NIOCore

/// A message that is being sent in parts (RFC 6455 §5.4).
struct OutgoingParts {
    /// Set when the parts are compressed.
    let deflater: Deflater?
    /// The opcode of the next frame.
    var opcode: Opcode
}

extension WebSocketMachine {
    /// No close frame was sent or received, and nothing failed: messages may be sent.
    package var isOpen: Bool { closeHandshake.isOpen }

    /// Both close frames were exchanged, or the connection failed: the server closes the transport, and a
    /// client waits for that (RFC 6455 §7.1.1).
    package var isClosed: Bool { closeHandshake.state == .done }

    /// The peer's close frame has come and is to be answered.
    package var owesCloseReply: Bool {
        if case .received = closeHandshake.state { true } else { false }
    }

    /// Counts what the codecs do that this machine shares with others; nil without compression.
    var codecWork: CodecWork? { deflater == nil ? nil : shared?.work }

    /// A message has been sent in part.
    package var isSendingParts: Bool { outgoing != nil }

    // MARK: Messages

    /// Appends the frames of `message`, compressed when that was negotiated, allowed, and makes it smaller.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``, ``WSError/outOfMemory``.
    package mutating func encode(_ message: Message, compress: Bool = true, into out: inout ByteBuffer)
        throws(WSError)
    {
        try checkMaySend()
        if compress, deflater != nil, let shared {
            var scratch = shared.takeScratch()
            defer { shared.giveBackScratch(scratch) }
            if try deflater?.compress(message.payload.readableBytesSpan, into: &scratch) == true {
                writeFrames(
                    scratch.readableBytesSpan, opcode: message.kind.opcode, isCompressed: true, into: &out)
                return
            }
        }
        writeFrames(
            message.payload.readableBytesSpan, opcode: message.kind.opcode, isCompressed: false, into: &out)
    }

    /// The frame of a large message that was received as a client's and goes out as it came; nil when its frames have
    /// to be made.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``.
    package func frame(standingBefore message: Message, compress: Bool) throws(WSError) -> ByteBuffer? {
        try checkMaySend()
        guard role == .server, message.count > FrameEncoder.copySize, !compress || deflater == nil,
            message.count <= limits.sentFrameSize
        else { return nil }
        let header = FrameHeader(opcode: message.kind.opcode, length: message.count)
        return FrameEncoder.frame(before: message.payload, header)
    }

    /// The frame of a prepared message for this connection, shared with all that take the same form. A server's.
    ///
    /// What it returns must be sent: the compressor counts on the peer's having seen it.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``, ``WSError/outOfMemory``.
    package mutating func frame(for prepared: PreparedMessage) throws(WSError) -> ByteBuffer {
        var frames = PreparedFrames(prepared)
        return try frame(for: &frames)
    }

    /// The same for a message that goes to many sockets of one event loop.
    mutating func frame(for frames: inout PreparedFrames) throws(WSError) -> ByteBuffer {
        try checkMaySend()
        let prepared = frames.message
        if prepared.compress, let deflater, let shared, prepared.message.count >= deflater.threshold,
            let frame = try frames.deflatedFrame(
                windowBits: deflater.windowBits, level: deflater.level, shared: shared)
        {
            let plain = prepared.message.payload
            self.deflater?.learn(plain.readableBytesSpan)
            return frame
        }
        return frames.plainFrame()
    }

    /// Appends a prepared message; a client encodes it anew, since each of its frames has its own mask.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``, ``WSError/outOfMemory``.
    package mutating func encode(_ prepared: PreparedMessage, into out: inout ByteBuffer) throws(WSError) {
        guard role == .server else {
            return try encode(prepared.message, compress: prepared.compress, into: &out)
        }
        var frame = try frame(for: prepared)
        out.writeBuffer(&frame)
    }

    /// Appends the next part of a message that is sent as it comes into being.
    ///
    /// The first part begins the message; until the final one no other message may be sent, though control
    /// frames may. Parts of a compressed message may leave nothing to send yet. The parts of a text need not
    /// end at characters, but together they must be UTF-8.
    ///
    /// - Parameters:
    ///   - kind: what the message holds; it counts in the first part only.
    ///   - compress: whether it may be compressed; it counts in the first part only.
    /// - Throws: ``WSError/closed``, ``WSError/outOfMemory``.
    package mutating func encodePart(
        _ kind: Message.Kind, _ octets: ByteBuffer, isFinal: Bool, compress: Bool = true,
        into out: inout ByteBuffer
    ) throws(WSError) {
        guard isOpen else { throw .closed }
        let parts: OutgoingParts
        if let outgoing {
            parts = outgoing
        } else {
            let stream = compress ? try deflater?.streamDeflater() : nil
            parts = OutgoingParts(deflater: stream, opcode: kind.opcode)
        }
        outgoing = isFinal ? nil : parts
        guard let stream = parts.deflater else {
            writeFrames(
                octets.readableBytesSpan, opcode: parts.opcode, isCompressed: false, isFinal: isFinal,
                into: &out)
            outgoing?.opcode = .continuation
            return
        }
        var compressed = ByteBuffer()
        shared?.worked &+= octets.readableBytes
        do {
            if isFinal {
                try stream.finishMessage(octets.readableBytesSpan, into: &compressed)
            } else {
                try stream.deflate(octets.readableBytesSpan, into: &compressed, flush: .none)
            }
        } catch {
            throw WSError(error, limit: 0)
        }
        guard isFinal || compressed.readableBytes > 0 else { return }
        writeFrames(
            compressed.readableBytesSpan, opcode: parts.opcode, isCompressed: parts.opcode != .continuation,
            isFinal: isFinal, into: &out)
        outgoing?.opcode = .continuation
    }

    private func checkMaySend() throws(WSError) {
        guard isOpen else { throw .closed }
        guard outgoing == nil else { throw .messageInProgress }
    }

    /// Appends `payload` as one frame, or as several of at most ``WSLimits/sentFrameSize``.
    private mutating func writeFrames(
        _ payload: RawSpan, opcode: Opcode, isCompressed: Bool, isFinal: Bool = true,
        into out: inout ByteBuffer
    ) {
        let size = max(1, limits.sentFrameSize)
        var start = 0
        repeat {
            let count = min(size, payload.byteCount - start)
            let isFirst = start == 0
            let isLast = start + count == payload.byteCount
            let header = FrameHeader(
                isFinal: isFinal && isLast, isCompressed: isCompressed && isFirst,
                opcode: isFirst ? opcode : .continuation, mask: nextMask(), length: count)
            FrameEncoder.write(header, payload.extracting(start..<(start + count)), into: &out)
            start += count
        } while start < payload.byteCount
    }

    @inline(__always)
    private mutating func nextMask() -> UInt32? {
        role == .client ? maskKeys.next() : nil
    }

    // MARK: Control frames

    /// Appends a ping; of a longer payload the first 125 octets. Nothing once a close frame was sent.
    package mutating func encodePing(_ payload: ByteBuffer = ByteBuffer(), into out: inout ByteBuffer) {
        encodeControl(.ping, payload, into: &out)
    }

    /// Appends a pong; of a longer payload the first 125 octets. Nothing once a close frame was sent.
    package mutating func encodePong(_ payload: ByteBuffer, into out: inout ByteBuffer) {
        encodeControl(.pong, payload, into: &out)
    }

    private mutating func encodeControl(_ opcode: Opcode, _ payload: ByteBuffer, into out: inout ByteBuffer) {
        switch closeHandshake.state {
        case .open, .received: writeControl(opcode, payload, into: &out)
        case .sent, .done: return
        }
    }

    private mutating func writeControl(_ opcode: Opcode, _ payload: ByteBuffer, into out: inout ByteBuffer) {
        let count = min(payload.readableBytes, FrameHeader.maxControlLength)
        let header = FrameHeader(opcode: opcode, mask: nextMask(), length: count)
        FrameEncoder.write(header, payload.readableBytesSpan.extracting(first: count), into: &out)
    }

    /// Appends a close frame and begins to wait for the peer's; false, with nothing appended, when one was sent
    /// before. A code that may not appear on the wire gives a frame without a code.
    @discardableResult
    package mutating func encodeClose(
        _ code: CloseCode = .normal, _ text: String = "", into out: inout ByteBuffer, now: NIODeadline
    ) -> Bool {
        guard closeHandshake.send(at: now) else { return false }
        writeControl(.close, ClosePayload.encode(code: code, text: text), into: &out)
        return true
    }

    /// Appends the answer to the peer's close frame, its code repeated (RFC 6455 §5.5.1); false, with nothing
    /// appended, when none is due.
    @discardableResult
    package mutating func encodeCloseReply(into out: inout ByteBuffer, now: NIODeadline) -> Bool {
        guard case .received(let code) = closeHandshake.state else { return false }
        return encodeClose(code, into: &out, now: now)
    }

    /// Appends the close frame for `error`, unless one was sent before, and ends both halves
    /// (RFC 6455 §7.1.7): the transport is to be closed after it.
    package mutating func fail(with error: WSError, into out: inout ByteBuffer, now: NIODeadline) {
        encodeClose(error.closeCode, error.reason, into: &out, now: now)
        closeHandshake.fail()
        outgoing = nil
        discardMessage()
    }
}
