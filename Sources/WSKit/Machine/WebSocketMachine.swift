package import NIOCore

/// One end of a WebSocket connection after its handshake (RFC 6455 §5-§7, RFC 7692), without I/O.
///
/// Callers pass in received bytes and the time, and get messages, control frames and the bytes to send. Received bytes
/// are consumed at once, so none is parsed twice, however the input is split.
package struct WebSocketMachine {
    /// What the peer has sent.
    package enum Event: Equatable, Sendable {
        /// A whole message.
        case message(Message)
        /// A part of a message, if messages are received in parts. The last part may be empty. A part of a text may end
        /// within a character.
        case part(Message.Kind, ByteBuffer, isFinal: Bool)
        /// A ping. The caller must reply with ``encodePong(_:into:)`` and the same payload.
        case ping(ByteBuffer)
        /// A pong.
        case pong(ByteBuffer)
        /// A close frame. The caller must reply with ``encodeCloseReply(into:now:)``. Nothing is read after it.
        case close(CloseReason)
    }

    /// What ``tick(at:)`` asks the caller to do.
    package enum TickAction: Equatable, Sendable {
        /// Nothing.
        case nothing
        /// Send a ping with this payload.
        case sendPing(ByteBuffer)
        /// The peer did not reply to a ping: close the transport.
        case peerIsDead
        /// The peer did not reply to the close frame: close the transport.
        case closeTimedOut
    }

    private enum Reading {
        case header
        case data(FrameHeader, offset: Int)
        case control(FrameHeader)
        /// After a close frame or an error: further input is dropped.
        case ended
    }

    /// This end's role.
    package let role: Role
    /// The limits for the peer.
    package var limits: WSLimits { assembler.limits }

    private var decoder: FrameDecoder
    private var reading = Reading.header
    private var assembler: MessageAssembler
    private var control = ByteBuffer()
    private var controlRate = RateWindow()
    private var messageRate = RateWindow()
    private var keepAlive: KeepAliveClock
    private var pingCount: UInt64 = 0

    // The sending half, in WebSocketMachine+Send.swift.
    var closeHandshake = CloseHandshake()
    var deflater: MessageDeflater?
    var outgoing: OutgoingParts?
    var maskKeys: MaskKeys
    let shared: SharedDeflate?

    /// Creates a machine for a connection that opened at `now`.
    ///
    /// - Parameters:
    ///   - deflate: the negotiated parameters; `nil` without permessage-deflate.
    ///   - mode: how this end compresses what it sends.
    ///   - shared: the codecs of the connection's event loop. They are used only with `deflate`; if missing, the machine
    ///     creates its own.
    ///   - maskKeys: the source of a client's masking keys.
    ///   - delivery: whether messages are received whole or in parts.
    package init(
        role: Role, limits: WSLimits = WSLimits(), deflate: DeflateParameters? = nil,
        mode: DeflateMode = .shared, shared: SharedDeflate? = nil, maskKeys: MaskKeys = .system,
        delivery: MessageAssembler.Delivery = .whole, now: NIODeadline
    ) {
        self.init(
            role: role, limits: SharedLimits(limits), deflate: deflate, mode: mode, shared: shared,
            maskKeys: maskKeys, delivery: delivery, now: now)
    }

    /// Creates a machine whose limits are shared with others.
    package init(
        role: Role, limits: SharedLimits, deflate: DeflateParameters?, mode: DeflateMode,
        shared: SharedDeflate?,
        maskKeys: MaskKeys = .system, delivery: MessageAssembler.Delivery, now: NIODeadline
    ) {
        let peer: Role = role == .server ? .client : .server
        let codecs = deflate == nil ? shared : shared ?? SharedDeflate()
        self.role = role
        self.maskKeys = maskKeys
        self.shared = codecs
        decoder = FrameDecoder(sender: peer, allowsCompression: deflate != nil)
        var inflater: MessageInflater?
        if let deflate, let codecs {
            deflater = MessageDeflater(deflate, role: role, mode: mode, shared: codecs)
            inflater = MessageInflater(deflate, from: peer, shared: codecs)
        }
        assembler = MessageAssembler(limits: limits, inflater: inflater, delivery: delivery)
        keepAlive = KeepAliveClock(limits: limits.value, now: now)
    }

    /// Whether messages are delivered whole or in parts.
    package var delivery: MessageAssembler.Delivery {
        get { assembler.delivery }
        set { assembler.delivery = newValue }
    }

    /// Whether ``next(_:now:)`` may return a part without more input. That is the case when a part was full as the last
    /// byte of its frame was consumed: the rest may still be in the decompressor.
    package var hasPendingPart: Bool {
        if case .data(let header, let offset) = reading { offset >= header.length } else { false }
    }

    /// How many bytes may still be decompressed. When the quota is used up, ``next(_:now:)`` returns `nil` and leaves the
    /// rest of its input until the quota is raised. By default there is no limit.
    package var inflateQuota: Int {
        get { assembler.quota }
        set { assembler.quota = newValue }
    }

    /// The progress of the unfinished received message; `nil` between messages.
    package var messageUnderWay: MessageAssembler.Progress? { assembler.progress }

    /// Whether a received message has begun and not ended.
    package var isInMessage: Bool { assembler.isInMessage }

    /// Drops the unfinished received message. Nothing may be read after this.
    package mutating func discardMessage() { assembler.discard() }

    // MARK: Receiving

    /// Returns the next event from `input`, or `nil` if more input is needed.
    ///
    /// Call it until it returns `nil`. `input` is then empty, unless ``inflateQuota`` is used up. After an error nothing
    /// more is read; call ``fail(with:into:now:)`` to tell the peer.
    ///
    /// - Throws: how the peer violated the protocol or a limit.
    package mutating func next(_ input: inout ByteBuffer, now: NIODeadline) throws(WSError) -> Event? {
        if input.readableBytes > 0 { keepAlive.recordActivity(at: now) }
        do throws(WSError) {
            return try advance(&input, now)
        } catch {
            reading = .ended
            input.moveReaderIndex(to: input.writerIndex)
            throw error
        }
    }

    private mutating func advance(_ input: inout ByteBuffer, _ now: NIODeadline) throws(WSError) -> Event? {
        while true {
            switch reading {
            case .header:
                guard let header = try decoder.next(&input) else { return nil }
                if header.opcode.isControl {
                    try admitControl(at: now)
                    reading = .control(header)
                    continue
                }
                try admitData(header, at: now)
                if header.isFinal, !header.isCompressed, delivery == .whole,
                    let message = try assembler.readWhole(header, &input)
                {
                    return .message(message)
                }
                reading = .data(header, offset: 0)
            case .data(let header, var offset):
                switch try readData(header, &offset, &input) {
                case .needMore: return nil
                case .frameEnded: continue
                case .message(let message): return .message(message)
                case .part(let kind, let bytes, let isFinal): return .part(kind, bytes, isFinal: isFinal)
                }
            case .control(let header):
                guard readControl(header, &input) else { return nil }
                return try finishControl(header)
            case .ended:
                input.moveReaderIndex(to: input.writerIndex)
                return nil
            }
        }
    }

    private mutating func admitData(_ header: FrameHeader, at now: NIODeadline) throws(WSError) {
        try assembler.admit(header)
        if let limit = limits.maxMessagesPerSecond, header.opcode != .continuation,
            messageRate.exceeds(limit, at: now)
        {
            throw .tooManyMessages(limit: limit)
        }
    }

    private mutating func admitControl(at now: NIODeadline) throws(WSError) {
        if controlRate.exceeds(limits.maxControlFramesPerSecond, at: now) {
            throw .tooManyControlFrames(limit: limits.maxControlFramesPerSecond)
        }
    }

    private mutating func readData(_ header: FrameHeader, _ offset: inout Int, _ input: inout ByteBuffer)
        throws(WSError) -> MessageAssembler.Step
    {
        let step = try assembler.read(header, offset: &offset, &input)
        switch step {
        case .message, .part(_, _, isFinal: true), .frameEnded: reading = .header
        case .needMore, .part(_, _, isFinal: false): reading = .data(header, offset: offset)
        }
        return step
    }

    /// Collects the payload of a control frame. Returns whether it is complete.
    private mutating func readControl(_ header: FrameHeader, _ input: inout ByteBuffer) -> Bool {
        let count = min(header.length - control.readableBytes, input.readableBytes)
        if count > 0 {
            let phase = control.readableBytes
            if let mask = header.mask {
                Mask.append(
                    input.readableBytesSpan.extracting(first: count), key: mask, phase: phase, to: &control)
            } else {
                control.writeBytes(input.readableBytesSpan.extracting(first: count))
            }
            input.moveReaderIndex(forwardBy: count)
        }
        return control.readableBytes == header.length
    }

    private mutating func finishControl(_ header: FrameHeader) throws(WSError) -> Event {
        let payload = control
        control = ByteBuffer()
        reading = .header
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default:
            let parsed = try ClosePayload.parse(payload)
            reading = .ended
            discardMessage()
            let initiator = closeHandshake.receive(parsed.code)
            return .close(
                CloseReason(code: parsed.code, text: parsed.text, initiator: initiator, isClean: true))
        }
    }

    // MARK: Time and memory

    /// When ``tick(at:)`` will have something to do, as things are now; `nil` if never.
    package var nextTick: NIODeadline? {
        switch closeHandshake.state {
        case .open: keepAlive.deadline
        case .sent(let since): since + TimeAmount(limits.closeTimeout)
        case .received, .done: nil
        }
    }

    /// Restarts the keep-alive interval. Call it while the peer does not read: the pings do not reach it, so no pong can
    /// come.
    package mutating func excuseSilence(at now: NIODeadline) { keepAlive.recordActivity(at: now) }

    /// Does not expect a pong for the last ping, but continues to ping. Call it while this end does not read.
    package mutating func excusePong(at now: NIODeadline) { keepAlive.excusePong(at: now) }

    /// What the caller must do at `now`.
    package mutating func tick(at now: NIODeadline) -> TickAction {
        switch closeHandshake.state {
        case .open:
            switch keepAlive.tick(at: now) {
            case .nothing: return .nothing
            case .dead: return .peerIsDead
            case .ping:
                pingCount &+= 1
                return .sendPing(ByteBuffer(integer: pingCount))
            }
        case .sent(let since):
            return now >= since + TimeAmount(limits.closeTimeout) ? .closeTimedOut : .nothing
        case .received, .done:
            return .nothing
        }
    }

    /// Frees the working memory of context takeover until the next message. The receiving side keeps its history, at most
    /// 32 KiB. Does nothing without context takeover or in the middle of a message.
    package mutating func sleep() {
        if outgoing == nil { deflater?.sleep() }
        if !assembler.isInMessage { assembler.inflater?.sleep() }
    }

    /// Whether compression holds working memory that ``sleep()`` would free.
    package var isAwake: Bool {
        deflater?.isAwake == true || assembler.inflater?.isAwake == true
    }
}
