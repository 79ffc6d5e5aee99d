import HTTPKit
import Logging
package import NIOCore

/// One WebSocket connection between its channel and its socket: the thin I/O around `WebSocketMachine`.
///
/// Invariant: the state is touched on the channel's event loop only, which debug builds assert where a call may
/// come from elsewhere; `onLoop` and its kin are the entrances for other threads.
///
/// `@exclusivity(unchecked)` as in `HTTPConnection`: what is passed on `inout`, the machine and the buffers, goes to
/// code that knows nothing of the connection, so no two accesses overlap.
package final class WebSocketConnection: ChannelDuplexHandler, LoopMember, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = IOData
    package typealias OutboundOut = IOData

    /// How far the end is.
    enum Phase {
        /// Messages and control frames go both ways, or the close handshake is under way.
        case open
        /// Our side of the transport is closed; what still arrives is dropped until `deadline`.
        case lingering(deadline: LoopInstant)
        case closed
    }

    private final class Ending {
        let reason: CloseReason
        init(_ reason: CloseReason) { self.reason = reason }
    }

    /// Who gets the messages.
    enum Consumer {
        case task
        case callbacks(any WebSocketHandler)
    }

    let loop: LoopContext
    private let sharedLimits: SharedLimits
    var limits: WSLimits { sharedLimits.value }
    /// Where the topics are that the socket may subscribe to.
    let topics: (any TopicDirectory)?
    let logger: Logger
    let consumer: Consumer
    /// The route, for logs.
    let route: String
    /// The connection lives through its socket, and the socket through this reference until the end.
    @exclusivity(unchecked) var socket: WebSocket?
    @exclusivity(unchecked) var context: ChannelHandlerContext?
    package var memberIndex = -1

    @exclusivity(unchecked) var machine: WebSocketMachine
    @exclusivity(unchecked) var phase: Phase = .open
    /// How many octets the channel was given since the last look at how fast the peer takes them. It stands where the
    /// phase leaves room, and so costs none.
    @exclusivity(unchecked) var given: UInt32 = 0
    @exclusivity(unchecked) var inbound = ByteBuffer()
    @exclusivity(unchecked) var inbox = Inbox()
    /// Why the connection ended; apart from it, since most of its life there is no reason.
    @exclusivity(unchecked) private var ending: Ending?
    var closeReason: CloseReason? {
        get { ending?.reason }
        set { ending = newValue.map(Ending.init) }
    }
    var task: Task<Void, Never>?
    /// Called once when the connection has ended.
    var onEnd: (@Sendable () -> Void)?
    @exclusivity(unchecked) var memberships: [any Membership] = []
    var subscriptions: [String: any Membership] = [:]
    @exclusivity(unchecked) var isProcessing = false
    @exclusivity(unchecked) var isReadHeld = false
    /// Nothing is decoded until this socket has its turn: see `CodecTurns`.
    @exclusivity(unchecked) var isResting = false
    /// The turn in which this socket decompressed last, and how much.
    @exclusivity(unchecked) var codecTurn: UInt32 = 0
    @exclusivity(unchecked) var codecUsed: UInt32 = 0
    /// Until when it would have taken to decompress all at `WSLimits.maxInflatedBytesPerSecond`, in nanoseconds.
    @exclusivity(unchecked) var inflatedUntil: Int64 = 0
    @exclusivity(unchecked) var hasReader = false
    @exclusivity(unchecked) var isFlushRequested = false
    @exclusivity(unchecked) var needsFlush = false
    /// Counts what was given to the channel, to look now and then whether the peer takes it.
    @exclusivity(unchecked) var writes: UInt8 = 0
    /// Something that was given to the channel some time ago has not been taken yet.
    @exclusivity(unchecked) var isBacklogged = false
    @exclusivity(unchecked) var isFull = false
    @exclusivity(unchecked) var isStreaming = false
    @exclusivity(unchecked) var streamKind = Message.Kind.text
    @exclusivity(unchecked) var streamCompresses = true
    /// The first message waits for a first reader too: a client's may come together with the 101.
    @exclusivity(unchecked) var hasWaitedForReader = false
    /// The peer sends no more; what it sent before is read to its end first.
    @exclusivity(unchecked) var isInputClosed = false
    /// Until then, what has arrived behind a message waits for the reader of that message to come back.
    @exclusivity(unchecked) var deferredUntil = LoopInstant(milliseconds: 0)
    /// Tells the task that runs the socket's closure from others; 0 when there is none.
    @exclusivity(unchecked) var servingTask = 0
    var drainAt: LoopInstant?
    /// When a message went either way last: compression with context takeover sleeps some time after.
    @exclusivity(unchecked) var lastMessage = LoopInstant.now

    // Sending.
    @exclusivity(unchecked) var out: ByteBuffer?
    @exclusivity(unchecked) var sendWaiters: [UnsafeContinuation<Void, Never>] = []
    /// What threads other than the loop's see of the way out.
    let gate = SendGate()
    /// What most connections never need.
    @exclusivity(unchecked) private var aside: Aside?

    init(
        loop: LoopContext, machine: consuming WebSocketMachine, limits: SharedLimits, consumer: Consumer,
        topics: (any TopicDirectory)?, logger: Logger, route: String
    ) {
        self.loop = loop
        self.machine = machine
        sharedLimits = limits
        self.consumer = consumer
        self.topics = topics
        self.logger = logger
        self.route = route
    }

    /// What most connections never need, made when it is first set: an idle socket does not pay for it.
    final class Aside {
        var closeWaiters: [UnsafeContinuation<Void, Never>] = []
        /// The newest message that was missed of each room with `SlowClientPolicy.latestOnly`.
        var latestMissed: [(room: ObjectIdentifier, message: PreparedMessage)] = []
        /// The last ping that came while the send buffer was full: earlier ones need no answer (RFC 6455 §5.5.3).
        var owedPong: ByteBuffer?
        /// Since when the peer has taken nothing, and how much waited then.
        var stall: (since: LoopInstant, octets: Int)?
        /// How fast the peer takes what waits for it; `nil` when nothing does.
        var pace: TakingPace?
        /// The place of the message under way among those of the loop.
        var unfinished: UnfinishedMessages.Entry?
        /// How fast it arrives.
        var incoming: IncomingPace?
        /// So many memberships of rooms want the latest message only.
        var latestMemberships = 0
        /// Enough waits unsent: newer messages of such rooms wait until the transport has taken it.
        var awaitsTaking = false
        /// Pings of the application's own that wait for their pongs.
        var pings: [Ping] = []
        var pingCounter: UInt64 = 0
    }

    /// A ping of the application's own.
    struct Ping {
        let payload: ByteBuffer
        let sent: ContinuousClock.Instant
        let waiter: UnsafeContinuation<Duration?, Never>
    }

    /// What was set aside, if anything was.
    var known: Aside? { aside }

    /// A place to set something aside.
    func setAside() -> Aside {
        if let aside { return aside }
        let made = Aside()
        aside = made
        return made
    }

    var isClosed: Bool {
        if case .open = phase { return false }
        return true
    }

    var now: NIODeadline { NIODeadline(loop.now) }

    // MARK: Entrances from other threads

    /// Runs `body` on the loop: at once when this is it, otherwise in order behind what was asked before.
    func onLoop(_ body: @escaping @Sendable (WebSocketConnection) -> Void) {
        if loop.eventLoop.inEventLoop {
            loop.turn { body(self) }
        } else {
            loop.eventLoop.execute { self.loop.turn { body(self) } }
        }
    }

    /// Runs `body` on the loop and returns what it returns.
    func onLoopAsync<Result: Sendable>(_ body: @escaping @Sendable (WebSocketConnection) -> Result) async
        -> Result
    {
        if loop.eventLoop.inEventLoop { return body(self) }
        return await withUnsafeContinuation { continuation in
            loop.eventLoop.execute { self.loop.turn { continuation.resume(returning: body(self)) } }
        }
    }

    /// Suspends until what `enlist` was given is resumed; on cancellation `cancel` is to resume it.
    ///
    /// It is part of its callers: a frame of its own would stand on the stack of every idle socket's task.
    ///
    /// - Throws: `CancellationError`.
    @inline(__always)
    func waiting(
        _ enlist: (WebSocketConnection, UnsafeContinuation<Void, Never>) -> Void,
        cancel: @escaping @Sendable (WebSocketConnection) -> Void
    ) async throws {
        try Task.checkCancellation()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { enlist(self, $0) }
        } onCancel: {
            // Never at once: the canceller may be in the middle of a change of this state.
            loop.eventLoop.execute { self.loop.turn { cancel(self) } }
        }
        try Task.checkCancellation()
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.statistics.sockets += 1
        loop.add(self)
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        loop.turn { receive(unwrapInboundIn(data)) }
    }

    /// Takes what the channel has read, or what was read before the hand-over.
    func receive(_ data: ByteBuffer) {
        loop.countReceived(octets: data.readableBytes)
        guard case .open = phase else { return }
        var data = data
        if inbound.readableBytes == 0 {
            inbound = data
        } else {
            inbound.discardReadBytes()
            inbound.writeBuffer(&data)
        }
        process()
    }

    /// Reads are held back while the application does not take what has come.
    package func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    private var mayRead: Bool { mayReceive && inbound.readableBytes < Self.readAhead }

    /// What may wait undecoded behind a message that is being worked on.
    private static let readAhead = 64 << 10
    /// How long it may wait, in milliseconds: the pings in it are answered after that at the latest.
    static let deferral: Int64 = 1000

    /// Whether the reader is at work on a message. What follows is decoded when it asks for more, so that its answer
    /// goes out before an error or a close frame behind that message ends the connection. Once this side closes there
    /// is no answer to wait for, and one that waits for a pong would wait for itself.
    var isDeferred: Bool {
        !inbox.isAwaited && loop.now < deferredUntil && machine.isOpen && aside?.pings.isEmpty != false
    }

    /// Whether something can be decoded without waiting for the peer.
    var hasUndecoded: Bool { inbound.readableBytes > 0 || machine.owesPart }

    /// Whether the application can take more: the inbox has room, or a callback's answer would find room.
    var mayReceive: Bool {
        guard case .open = phase else { return true }
        switch consumer {
        case .task:
            return !inbox.isFull(
                maxMessages: sharedLimits.value.maxQueuedMessages,
                maxOctets: sharedLimits.value.maxQueuedOctets)
        case .callbacks: return !isFull
        }
    }

    func resumeReading() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        loop.turn { inputClosed() }
    }

    /// The peer sends no more. What it sent before still counts, most of all a close frame.
    func inputClosed() {
        isInputClosed = true
        process()
        // In the close handshake's last phase nothing else is awaited.
        if isClosed { peerIsGone(.lost(.transportClosed)) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        loop.turn { peerIsGone(.lost(.transportClosed)) }
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug("WebSocket transport failed", metadata: ["error": .clean(error)])
        context.close(promise: nil)
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        loop.turn { writabilityChanged(context.channel.isWritable) }
        context.fireChannelWritabilityChanged()
    }
}
