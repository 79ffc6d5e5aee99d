import DequeModule
import HTTPKit
import HTTPTypes
import Logging
import NIOCore

/// One HTTP/2 connection: the only handler above the channel. It reads frames, keeps the streams, and shares the way out
/// among them.
///
/// - `process` reads what has arrived, frame by frame. The extensions have one part each: what frames mean (`+Frames`),
///   requests (`+Requests`), the way out (`+Sending`), the end (`+Closing`), time (`+Time`).
/// - A stream is an `HTTP2Stream`, which carries one exchange, or the tunnel that it has become.
///
/// Invariant: the state is touched on the channel's event loop only, which debug builds assert where a call may come from
/// elsewhere. Handlers run there too.
final class HTTP2Connection: ChannelDuplexHandler, LoopMember, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    enum Phase {
        /// Nothing has been sent yet.
        case new
        /// Waiting for the client's preface (RFC 9113 §3.4).
        case preface
        /// Waiting for the SETTINGS that are the rest of it.
        case settings
        case open
        /// GOAWAY is on its way; the server's side closes behind it.
        case closing
        /// The server's side is closed. What still arrives is dropped, until the deadline.
        case lingering(end: LoopInstant)
        case closed
    }

    /// What has been read from the channel.
    struct Input {
        var buffer: ByteBuffer
        /// The client has closed its side.
        var isClosed = false
        /// The channel waits to be asked for more.
        var isReadHeld = false
        /// What was read waits for a later turn, since this connection has used up its time in this one.
        var isGivingWay = false
        var isProcessing = false
        /// The block whose frames have not all arrived.
        var block: OpenBlock?
        /// By when the rest of a frame or a block must have come, if one has begun.
        var frameDeadline: LoopInstant?
        /// The window of the whole connection.
        var window: ReceiveWindow
        /// How many bytes wait for handlers.
        var held = 0
        /// The last request whose block did not change the table, to be compared with the next one.
        var lastRequest: KnownBlock?
    }

    /// What goes out.
    struct Output {
        var encoder = HPACKEncoder()
        var peer = PeerSettings()
        var window = 65_535
        /// The streams that have something to send and room for it, in turn.
        var ready = Deque<HTTP2Stream>()
        var isPumpRequested = false
    }

    /// What bounds how often a client may do things that cost it nothing.
    struct Buckets {
        var resets: TokenBucket
        var controlFrames: TokenBucket
    }

    let server: ServerContext
    let limits: HTTP2Limits
    let transport: Transport
    let session: SecureSession?
    let reader: FrameReader
    let workers: WorkerPool
    let refusal: (any ResponseError)?
    var memberIndex = -1
    @exclusivity(unchecked) var info: ConnectionInfo?
    @exclusivity(unchecked) var phase = Phase.new
    @exclusivity(unchecked) var input: Input
    @exclusivity(unchecked) var output = Output()
    @exclusivity(unchecked) var decoder = HPACKDecoder()
    @exclusivity(unchecked) var streams: [UInt32: HTTP2Stream] = [:]
    /// How many handlers run. Those of streams that were reset count until they have ended.
    @exclusivity(unchecked) var running = 0
    /// The last stream that the client has opened.
    @exclusivity(unchecked) var lastStream: UInt32 = 0
    @exclusivity(unchecked) var resetStreams = ResetStreams()
    @exclusivity(unchecked) var buckets: Buckets
    @exclusivity(unchecked) var goingAway = GoingAway.no
    /// When the first GOAWAY counts as seen.
    @exclusivity(unchecked) var goAwayDeadline = LoopInstant.never
    @exclusivity(unchecked) var requestCount = 0
    @exclusivity(unchecked) var deadline: LoopInstant
    /// What is known of a client that keeps the connection's window closed.
    @exclusivity(unchecked) var progress: WriteProgress?

    var loop: LoopContext { transport.loop }

    init(_ connection: NewConnection, limits: HTTP2Limits) {
        server = connection.server
        self.limits = limits
        session = connection.session
        info = connection.info
        refusal = connection.refusal
        transport = Transport(loop: connection.loop, isSecure: connection.session != nil)
        workers = WorkerPool.of(connection.loop)
        reader = FrameReader(maxFrameSize: Self.maxFrameSize)
        input = Input(
            buffer: connection.unread, window: ReceiveWindow(size: limits.connectionWindow, open: 65_535))
        let now = LoopInstant.now
        buckets = Buckets(
            resets: TokenBucket(burst: limits.resetBurst, rate: limits.resetRate, now: now),
            controlFrames: TokenBucket(
                burst: limits.controlFrameBurst, rate: limits.controlFrameRate, now: now))
        deadline = now.advanced(by: connection.server.limits.headTimeout)
    }

    /// The largest payload that is taken: the least that RFC 9113 §4.2 allows, so that streams share the connection well.
    static let maxFrameSize = 16_384

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        transport.attach(context)
        loop.add(self)
        if context.channel.isActive { loop.turn { begin() } }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        loop.turn { begin() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(self)
        info = nil
        transport.detach()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        loop.turn {
            var data = unwrapInboundIn(data)
            loop.countReceived(bytes: data.readableBytes)
            switch phase {
            case .lingering: deadline = loop.now.advanced(by: server.limits.lingerTimeout)
            case .closing, .closed: return
            case .new, .preface, .settings, .open:
                if input.buffer.readableBytes == 0 {
                    input.buffer = data
                } else {
                    input.buffer.discardReadBytes()
                    input.buffer.writeBuffer(&data)
                }
                process()
            }
        }
    }

    /// Reads are held back while what was read waits for its turn, and while a client that does not read keeps the
    /// responses to its frames from going out.
    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { input.isReadHeld = true }
    }

    private var mayRead: Bool { !input.isGivingWay && transport.isWritable }

    func resumeReading() {
        guard input.isReadHeld, mayRead else { return }
        input.isReadHeld = false
        transport.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        loop.turn { inputClosed() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.turn {
            info?.isClosed = true
            phase = .closed
            endAllStreams()
            transport.resumeWriters()
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        server.logger.debug("connection failed", metadata: ["error": .clean(error)])
        transport.close()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        loop.turn {
            transport.writabilityChanged()
            if transport.isWritable {
                pump()
                process()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Input

    /// Sends the server's preface (RFC 9113 §3.4), and reads what is there already.
    private func begin() {
        guard case .new = phase else { return }
        phase = .preface
        transport.append { out in
            FrameWriter.writeSettings(ownSettings, into: &out)
            let more = limits.connectionWindow - 65_535
            if more > 0 { FrameWriter.writeWindowUpdate(stream: 0, more, into: &out) }
        }
        input.window = ReceiveWindow(
            size: max(65_535, limits.connectionWindow), open: max(65_535, limits.connectionWindow))
        if let refusal { return end(.enhanceYourCalm, refusal.message) }
        if let drainDeadline = loop.drainDeadline { drain(deadline: drainDeadline) }
        process()
    }

    private var ownSettings: [Frame.Setting] {
        func setting(_ identifier: UInt16, _ value: Int) -> Frame.Setting {
            Frame.Setting(identifier: identifier, value: UInt32(clamping: value))
        }
        return [
            setting(SettingName.maxConcurrentStreams, limits.maxConcurrentStreams),
            setting(SettingName.initialWindowSize, limits.streamWindow),
            setting(SettingName.maxHeaderListSize, server.limits.maxFieldSectionSize),
            setting(SettingName.enableConnectProtocol, 1),
        ]
    }

    /// Goes on with what has been read, as far as it reaches.
    func process() {
        guard !input.isProcessing else { return }
        input.isProcessing = true
        while readNext() {}
        input.isProcessing = false
        if input.buffer.readableBytes == 0 { input.buffer = ByteBuffer() }
        resumeReading()
    }

    /// Reads the next frame; `false` when there is nothing to do for now.
    private func readNext() -> Bool {
        guard !input.isGivingWay else { return false }
        switch phase {
        case .new: return false
        case .preface: return readPreface()
        case .settings, .open: break
        case .closing, .lingering, .closed:
            input.buffer = ByteBuffer()
            return false
        }
        if loop.isTurnSpent, input.buffer.readableBytes > 0 {
            giveWay()
            return false
        }
        do throws(HTTP2Error) {
            guard let frame = try reader.next(&input.buffer) else {
                boundPartialFrame()
                return false
            }
            if input.block == nil { input.frameDeadline = nil }
            try handle(frame)
        } catch {
            fail(error)
        }
        return true
    }

    private func readPreface() -> Bool {
        switch FrameReader.readPreface(&input.buffer) {
        case nil: return false
        case true?:
            phase = .settings
            return true
        case false?:
            end(.protocolError, "the connection does not begin with the preface of HTTP/2")
            return false
        }
    }

    private func giveWay() {
        input.isGivingWay = true
        loop.giveWay {
            self.input.isGivingWay = false
            self.process()
        }
    }
}
