package import NIOCore

/// One end of a WebSocket connection after its handshake (RFC 6455 §5-§7, RFC 7692), without I/O.
///
/// Octets and the time go in; messages, control frames and octets to send come out. Everything received is
/// used up at once, so nothing is looked at twice, however it was cut.
package struct WebSocketMachine {
    /// What the peer has sent.
    package enum Event: Equatable, Sendable {
        /// A whole message.
        case message(Message)
        /// A part of a message, when they are received in parts; the last may be empty. A part of a text may
        /// end within a character.
        case part(Message.Kind, ByteBuffer, isFinal: Bool)
        /// A ping: to be answered with ``encodePong(_:into:)`` and the same payload.
        case ping(ByteBuffer)
        /// A pong.
        case pong(ByteBuffer)
        /// A close frame: to be answered with ``encodeCloseReply(into:now:)``. Nothing is read after it.
        case close(CloseReason)
    }

    /// What is due, as told by ``tick(at:)``.
    package enum TickAction: Equatable, Sendable {
        /// Nothing.
        case nothing
        /// Send a ping with this payload.
        case sendPing(ByteBuffer)
        /// The peer did not answer: drop the connection.
        case peerIsDead
        /// The peer did not answer the close frame: drop the connection.
        case closeTimedOut
    }

    private enum Reading {
        case header
        case data(FrameHeader, offset: Int)
        case control(FrameHeader)
        /// After a close frame or an error: whatever comes is dropped.
        case ended
    }

    /// This end's role.
    package let role: Role
    /// The bounds for the peer.
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

    /// A machine for a connection that opened at `now`.
    ///
    /// - Parameters:
    ///   - deflate: what the handshake agreed on; nil without permessage-deflate.
    ///   - mode: how this end compresses what it sends.
    ///   - shared: the codecs of the connection's event loop; needed only for `deflate`, and made when missing.
    ///   - maskKeys: where a client's keys come from.
    package init(
        role: Role, limits: WSLimits = WSLimits(), deflate: DeflateParameters? = nil,
        mode: DeflateMode = .shared, shared: SharedDeflate? = nil, maskKeys: MaskKeys = .system,
        delivery: MessageAssembler.Delivery = .whole, now: NIODeadline
    ) {
        self.init(
            role: role, limits: SharedLimits(limits), deflate: deflate, mode: mode, shared: shared,
            maskKeys: maskKeys, delivery: delivery, now: now)
    }

    /// A machine as above, its limits shared with others.
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

    /// In which shape messages are handed over.
    package var delivery: MessageAssembler.Delivery {
        get { assembler.delivery }
        set { assembler.delivery = newValue }
    }

    /// A part was full when the last octet of its frame was used up: the rest may be within the decompressor, and
    /// comes out of ``next(_:now:)`` without more octets.
    package var owesPart: Bool {
        if case .data(let header, let offset) = reading { offset >= header.length } else { false }
    }

    /// How many bytes may still be decompressed before ``next(_:now:)`` pauses: then it returns nil and leaves the rest of
    /// its input, until there is a quota again. By default there is no bound.
    package var inflateQuota: Int {
        get { assembler.quota }
        set { assembler.quota = newValue }
    }

    /// How far a message is that has begun and not ended; nil between messages.
    package var messageUnderWay: MessageAssembler.Progress? { assembler.progress }

    /// A message has begun and not ended.
    package var isInMessage: Bool { assembler.isInMessage }

    /// Forgets the message under way, when nothing more is read.
    package mutating func discardMessage() { assembler.discard() }

    // MARK: Receiving

    /// The next event from `input`; nil when all of it is used up and more is needed.
    ///
    /// To be called until it returns nil. Unless ``inflateQuota`` is used up, `input` is empty then. After an error nothing more is read, and ``fail(with:into:now:)``
    /// tells the peer.
    ///
    /// - Throws: what the peer did against the protocol or the limits.
    package mutating func next(_ input: inout ByteBuffer, now: NIODeadline) throws(WSError) -> Event? {
        if input.readableBytes > 0 { keepAlive.hear(at: now) }
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
                case .part(let kind, let octets, let isFinal): return .part(kind, octets, isFinal: isFinal)
                }
            case .control(let header):
                guard takeControl(header, &input) else { return nil }
                return try endControl(header)
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

    /// Collects the payload of a control frame; true when it is whole.
    private mutating func takeControl(_ header: FrameHeader, _ input: inout ByteBuffer) -> Bool {
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

    private mutating func endControl(_ header: FrameHeader) throws(WSError) -> Event {
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

    /// When ``tick(at:)`` has something to do at the earliest; nil when never, as things are.
    package var nextTick: NIODeadline? {
        switch closeHandshake.state {
        case .open: keepAlive.deadline
        case .sent(let since): since + TimeAmount(limits.closeTimeout)
        case .received, .done: nil
        }
    }

    /// Counts as a sign of life: while what this end sends does not get through, a pong could not come in time.
    package mutating func excuseSilence(at now: NIODeadline) { keepAlive.hear(at: now) }

    /// While this end holds back its reads a pong cannot be heard: none is missed, but pings go on.
    package mutating func excusePong(at now: NIODeadline) { keepAlive.excusePong(at: now) }

    /// What is due at `now`.
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

    /// Gives back the working memory of context takeover until the next message: of the receiving side the
    /// history remains, at most 32 KiB. Without takeover, or in the middle of a message, it does nothing.
    package mutating func sleep() {
        if outgoing == nil { deflater?.sleep() }
        if !assembler.isInMessage { assembler.inflater?.sleep() }
    }

    /// Working memory of compression is held, which ``sleep()`` would give back.
    package var isAwake: Bool {
        deflater?.isAwake == true || assembler.inflater?.isAwake == true
    }
}
