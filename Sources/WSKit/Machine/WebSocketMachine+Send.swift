import Compression
package import NIOCore

/// A message that is being sent in parts (RFC 6455 §5.4).
struct OutgoingParts {
    /// The compressor; `nil` if the message is not compressed.
    let deflater: Deflater?
    /// The opcode of the next frame.
    var opcode: Opcode
}

extension WebSocketMachine {
    /// Whether messages may be sent: no close frame was sent or received, and the connection has not failed.
    package var isOpen: Bool { closeHandshake.isOpen }

    /// Whether both close frames were exchanged, or the connection failed. The server then closes the transport, and a
    /// client waits for that (RFC 6455 §7.1.1).
    package var isClosed: Bool { closeHandshake.state == .done }

    /// Whether the peer has sent a close frame that this end has not replied to.
    package var isCloseReplyDue: Bool {
        if case .received = closeHandshake.state { true } else { false }
    }

    /// Counts the work of the codecs that this machine shares with others; `nil` without compression.
    var codecWork: CodecWork? { deflater == nil ? nil : shared?.work }

    /// Whether a message is being sent in parts.
    package var isSendingParts: Bool { outgoing != nil }

    // MARK: Messages

    /// Appends the frames of `message`. It is compressed if compression was negotiated, is allowed by `compress`, and makes
    /// the message smaller.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``, ``WSError/outOfMemory``.
    package mutating func encode(_ message: Message, compress: Bool = true, into out: inout ByteBuffer)
        throws(WSError)
    {
        try checkMaySend()
        if compress, deflater != nil, let shared {
            var scratch = shared.takeScratch()
            defer { shared.returnScratch(scratch) }
            if try deflater?.compress(message.payload.readableBytesSpan, into: &scratch) == true {
                writeFrames(
                    scratch.readableBytesSpan, opcode: message.kind.opcode, isCompressed: true, into: &out)
                return
            }
        }
        writeFrames(
            message.payload.readableBytesSpan, opcode: message.kind.opcode, isCompressed: false, into: &out)
    }

    /// Returns the frame of a large message that was received from a client and is sent on unchanged. Returns `nil` if the
    /// message must be encoded.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``.
    package func reusableFrame(for message: Message, compress: Bool) throws(WSError) -> ByteBuffer? {
        try checkMaySend()
        guard role == .server, message.count > FrameEncoder.copySize, !compress || deflater == nil,
            message.count <= limits.sentFrameSize
        else { return nil }
        let header = FrameHeader(opcode: message.kind.opcode, length: message.count)
        return FrameEncoder.reusableFrame(for: message.payload, header)
    }

    /// Returns the frame of a prepared message for this connection, which connections with the same parameters share. Only
    /// servers may call it.
    ///
    /// The frame must be sent: the compressor assumes that the peer has seen it.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``, ``WSError/outOfMemory``.
    package mutating func frame(for prepared: PreparedMessage) throws(WSError) -> ByteBuffer {
        var frames = PreparedFrames(prepared)
        return try frame(for: &frames)
    }

    /// Returns the frame of a prepared message that is sent to many sockets of one event loop.
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

    /// Appends a prepared message. A client encodes it each time, because every frame has its own mask.
    ///
    /// - Throws: ``WSError/closed``, ``WSError/messageInProgress``, ``WSError/outOfMemory``.
    package mutating func encode(_ prepared: PreparedMessage, into out: inout ByteBuffer) throws(WSError) {
        guard role == .server else {
            return try encode(prepared.message, compress: prepared.compress, into: &out)
        }
        var frame = try frame(for: prepared)
        out.writeBuffer(&frame)
    }

    /// Appends the next part of a message that is sent as it is produced.
    ///
    /// The first part begins the message. Until the final part, control frames may be sent, but no other message. A part of
    /// a compressed message may append nothing yet. A part of a text may end within a character, but all parts together
    /// must be UTF-8.
    ///
    /// - Parameters:
    ///   - kind: the kind of the message. Only that of the first part has an effect.
    ///   - compress: whether the message may be compressed. Only that of the first part has an effect.
    /// - Throws: ``WSError/closed``, ``WSError/outOfMemory``.
    package mutating func encodePart(
        _ kind: Message.Kind, _ bytes: ByteBuffer, isFinal: Bool, compress: Bool = true,
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
                bytes.readableBytesSpan, opcode: parts.opcode, isCompressed: false, isFinal: isFinal,
                into: &out)
            outgoing?.opcode = .continuation
            return
        }
        var compressed = ByteBuffer()
        shared?.processedBytes &+= bytes.readableBytes
        do {
            if isFinal {
                try stream.finishMessage(bytes.readableBytesSpan, into: &compressed)
            } else {
                try stream.deflate(bytes.readableBytesSpan, into: &compressed, flush: .none)
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

    /// Appends a ping. Only the first 125 bytes of the payload are sent. Appends nothing after this end's close frame.
    package mutating func encodePing(_ payload: ByteBuffer = ByteBuffer(), into out: inout ByteBuffer) {
        encodeControl(.ping, payload, into: &out)
    }

    /// Appends a pong. Only the first 125 bytes of the payload are sent. Appends nothing after this end's close frame.
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

    /// Appends a close frame and begins to wait for the peer's. Appends nothing and returns `false` if one was sent before.
    /// With a code that may not appear on the wire, the frame has no code.
    @discardableResult
    package mutating func encodeClose(
        _ code: CloseCode = .normal, _ text: String = "", into out: inout ByteBuffer, now: NIODeadline
    ) -> Bool {
        guard closeHandshake.send(at: now) else { return false }
        writeControl(.close, ClosePayload.encode(code: code, text: text), into: &out)
        return true
    }

    /// Appends the reply to the peer's close frame, with the same code (RFC 6455 §5.5.1). Appends nothing and returns
    /// `false` if no reply is due.
    @discardableResult
    package mutating func encodeCloseReply(into out: inout ByteBuffer, now: NIODeadline) -> Bool {
        guard case .received(let code) = closeHandshake.state else { return false }
        return encodeClose(code, into: &out, now: now)
    }

    /// Appends the close frame for `error`, unless one was sent before, and stops sending and receiving
    /// (RFC 6455 §7.1.7). The caller must then close the transport.
    package mutating func fail(with error: WSError, into out: inout ByteBuffer, now: NIODeadline) {
        encodeClose(error.closeCode, error.reason, into: &out, now: now)
        closeHandshake.fail()
        outgoing = nil
        discardMessage()
    }
}
