import HTTPKit
import Logging
package import NIOCore

/// One WebSocket connection: the I/O around `WebSocketMachine`, between the channel and the application's socket.
///
/// Invariant: the state is accessed on the channel's event loop only, which debug builds assert where a call may come
/// from elsewhere. Other threads enter through `onLoop` and `onLoopAsync`.
///
/// `@exclusivity(unchecked)` as in `HTTPConnection`: the machine and the buffers are passed `inout` only to code that has
/// no reference to the connection, so accesses never overlap.
package final class WebSocketConnection: ChannelDuplexHandler, LoopMember, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = IOData
    package typealias OutboundOut = IOData

    /// The state of the transport.
    enum Phase {
        /// Frames go both ways. This includes the close handshake.
        case open
        /// This end has closed its output. Input is dropped until `deadline`.
        case lingering(deadline: LoopInstant)
        case closed
    }

    private final class Ending {
        let reason: CloseReason
        init(_ reason: CloseReason) { self.reason = reason }
    }

    /// Who receives the messages.
    enum Consumer {
        case task
        case callbacks(any WebSocketHandler)
    }

    let loop: LoopContext
    private let sharedLimits: SharedLimits
    var limits: WSLimits { sharedLimits.value }
    /// The topics to which the socket can subscribe.
    let topics: (any TopicDirectory)?
    let logger: Logger
    let consumer: Consumer
    /// The route, for logs.
    let route: String
    /// Keeps the socket, and through it the connection, alive until the connection ends.
    @exclusivity(unchecked) var socket: WebSocket?
    @exclusivity(unchecked) var context: ChannelHandlerContext?
    package var memberIndex = -1

    @exclusivity(unchecked) var machine: WebSocketMachine
    @exclusivity(unchecked) var phase: Phase = .open
    /// How many bytes were written to the channel since the last check of the send rate. It is declared here because it fits
    /// into the padding after `phase` and takes no memory.
    @exclusivity(unchecked) var writtenSinceRateCheck: UInt32 = 0
    @exclusivity(unchecked) var inbound = ByteBuffer()
    @exclusivity(unchecked) var inbox = Inbox()
    /// The close reason. It is stored in an object of its own because most of the time there is none.
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
    @exclusivity(unchecked) var isReadHeldBack = false
    /// Nothing is decoded until this socket has its turn: see `CodecTurns`.
    @exclusivity(unchecked) var isDecodingPaused = false
    /// The turn in which this socket last decompressed, and how many bytes it processed in it.
    @exclusivity(unchecked) var codecTurn: UInt32 = 0
    @exclusivity(unchecked) var codecUsed: UInt32 = 0
    /// When all bytes so far would have been decompressed at `WSLimits.maxInflatedBytesPerSecond`, in nanoseconds.
    @exclusivity(unchecked) var inflatedUntil: Int64 = 0
    @exclusivity(unchecked) var hasReader = false
    @exclusivity(unchecked) var isFlushRequested = false
    @exclusivity(unchecked) var needsFlush = false
    /// Counts writes to the channel, to check for a backlog now and then.
    @exclusivity(unchecked) var writes: UInt8 = 0
    /// The transport has not yet accepted an earlier write.
    @exclusivity(unchecked) var isBacklogged = false
    @exclusivity(unchecked) var isFull = false
    @exclusivity(unchecked) var isStreaming = false
    @exclusivity(unchecked) var streamKind = Message.Kind.text
    @exclusivity(unchecked) var streamCompresses = true
    /// Decoding has been deferred once for a first reader. A client's first message may arrive together with the 101, when
    /// nobody reads yet.
    @exclusivity(unchecked) var hasWaitedForReader = false
    /// The peer has closed its side. What it sent before is still decoded.
    @exclusivity(unchecked) var isInputClosed = false
    /// Until then, input after a message is not decoded before the reader of that message asks for the next one.
    @exclusivity(unchecked) var deferredUntil = LoopInstant(milliseconds: 0)
    /// Identifies the task that runs the socket's closure; 0 if there is none.
    @exclusivity(unchecked) var servingTask = 0
    var drainAt: LoopInstant?
    /// When a message was last sent or received. Some time later, compression with context takeover goes to sleep.
    @exclusivity(unchecked) var lastMessage = LoopInstant.now

    // Sending.
    @exclusivity(unchecked) var out: ByteBuffer?
    @exclusivity(unchecked) var sendWaiters: [UnsafeContinuation<Void, Never>] = []
    /// The send state that other threads may read.
    let gate = SendGate()
    /// State that most connections never need; see ``makeRareState()``.
    @exclusivity(unchecked) private(set) var rareState: RareState?

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

    /// State that most connections never need. It is created when first needed, so that idle sockets take less memory.
    final class RareState {
        var closeWaiters: [UnsafeContinuation<Void, Never>] = []
        /// The newest missed message of each room with `SlowClientPolicy.latestOnly`.
        var latestMissed: [(room: ObjectIdentifier, message: PreparedMessage)] = []
        /// The payload of the last ping that arrived while the send buffer was full. Earlier ones need no pong
        /// (RFC 6455 §5.5.3).
        var pendingPong: ByteBuffer?
        /// Since when the peer has read nothing, and how many bytes were unsent then.
        var stall: (since: LoopInstant, bytes: Int)?
        /// How fast the peer reads; `nil` without unsent bytes.
        var pace: TakingPace?
        /// The entry of the unfinished received message in the loop's list.
        var unfinished: UnfinishedMessages.Entry?
        /// How fast the unfinished message arrives.
        var incoming: IncomingPace?
        /// The number of memberships with `SlowClientPolicy.latestOnly`.
        var latestMemberships = 0
        /// Messages of such memberships are held back until the transport has accepted all writes.
        var awaitsWrite = false
        /// Pings of the application that wait for their pongs.
        var pings: [Ping] = []
        var pingCounter: UInt64 = 0
    }

    /// A ping of the application.
    struct Ping {
        let payload: ByteBuffer
        let sent: ContinuousClock.Instant
        let waiter: UnsafeContinuation<Duration?, Never>
    }

    /// Returns ``rareState``, and creates it if there is none yet.
    func makeRareState() -> RareState {
        if let rareState { return rareState }
        let created = RareState()
        rareState = created
        return created
    }

    var isClosed: Bool {
        if case .open = phase { return false }
        return true
    }

    var now: NIODeadline { NIODeadline(loop.now) }

    // MARK: Calls from other threads

    /// Runs `body` on the event loop: immediately if called there, otherwise after earlier calls from this thread.
    func onLoop(_ body: @escaping @Sendable (WebSocketConnection) -> Void) {
        if loop.eventLoop.inEventLoop {
            loop.turn { body(self) }
        } else {
            loop.eventLoop.execute { self.loop.turn { body(self) } }
        }
    }

    /// Runs `body` on the event loop and returns its result.
    func onLoopAsync<Result: Sendable>(_ body: @escaping @Sendable (WebSocketConnection) -> Result) async
        -> Result
    {
        if loop.eventLoop.inEventLoop { return body(self) }
        return await withUnsafeContinuation { continuation in
            loop.eventLoop.execute { self.loop.turn { continuation.resume(returning: body(self)) } }
        }
    }

    /// Suspends until the continuation that `enlist` stores is resumed. When the task is cancelled, `cancel` must resume it.
    ///
    /// Always inlined: a frame of its own would take stack in the task of every idle socket.
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
            // Never immediately: the code that cancels may be in the middle of changing this state.
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

    /// Receives bytes from the channel, or bytes that the HTTP handler read before the upgrade.
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

    /// Reads are held back while the application does not read its messages.
    package func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeldBack = true }
    }

    private var mayRead: Bool { mayReceive && inbound.readableBytes < Self.readAhead }

    /// How many received bytes may stay undecoded before the connection stops reading.
    private static let readAhead = 64 << 10
    /// How long decoding may be deferred, in milliseconds. Pings among the deferred bytes are replied to after that at the
    /// latest.
    static let deferral: Int64 = 1000

    /// Whether decoding is deferred because the reader is handling a message.
    ///
    /// Decoding continues when the reader asks for the next message. So its reply is sent before an error or a close frame
    /// after that message ends the connection. There is no deferral after this end has begun to close, because there is no
    /// reply to wait for, and none while the application waits for a pong, which would then never be read.
    var isDeferred: Bool {
        !inbox.isAwaited && loop.now < deferredUntil && machine.isOpen && rareState?.pings.isEmpty != false
    }

    /// Whether there is input to decode.
    var hasUndecoded: Bool { inbound.readableBytes > 0 || machine.hasPendingPart }

    /// Whether the application can accept messages: the inbox has room, or there is room for the reply of a callback.
    var mayReceive: Bool {
        guard case .open = phase else { return true }
        switch consumer {
        case .task:
            return !inbox.isFull(
                maxMessages: sharedLimits.value.maxQueuedMessages,
                maxBytes: sharedLimits.value.maxQueuedBytes)
        case .callbacks: return !isFull
        }
    }

    func resumeReading() {
        guard isReadHeldBack, mayRead else { return }
        isReadHeldBack = false
        context?.read()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        loop.turn { inputClosed() }
    }

    /// Handles that the peer has closed its side. What it sent before is still decoded, above all a close frame.
    func inputClosed() {
        isInputClosed = true
        process()
        // While lingering, nothing else is awaited.
        if isClosed { transportEnded(.lost(.transportClosed)) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        loop.turn { transportEnded(.lost(.transportClosed)) }
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
