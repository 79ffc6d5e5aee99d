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

    /// Who receives the messages.
    enum Consumer {
        case task
        case callbacks(any WebSocketHandler)
    }

    /// What has been received.
    struct Input {
        var buffer = ByteBuffer()
        var inbox = Inbox()
        /// Until then, input after a message is not decoded before the reader of that message asks for the next one.
        var deferredUntil = LoopInstant(milliseconds: 0)
        /// The peer has closed its side. What it sent before is still decoded.
        var isClosed = false
        /// The channel waits to be asked for more.
        var isReadHeldBack = false
        var isProcessing = false
        /// Nothing is decoded until this socket has its turn: see `CodecTurns`.
        var isDecodingPaused = false
        var hasReader = false
        /// Decoding has been deferred once for a first reader. A client's first message may arrive together with the 101,
        /// when nobody reads yet.
        var hasWaitedForReader = false
    }

    /// The application's side of the connection.
    struct Application {
        /// Keeps the socket, and through it the connection, alive until the connection ends.
        var socket: WebSocket?
        /// Runs the socket's closure.
        var task: Task<Void, Never>?
        /// Identifies that task from within; 0 if there is none.
        var servingTask = 0
        /// Counts the socket among those of its address, until the connection ends.
        var place: AddressCounter.Place?
    }

    /// A message that is being sent in parts.
    struct OutgoingStream {
        let kind: Message.Kind
        let compresses: Bool
    }

    /// Where the socket gets messages from.
    struct Memberships {
        var rooms: [any Membership] = []
        var topics: [String: any Membership] = [:]
    }

    let loop: LoopContext
    let transport: Transport
    /// What the sockets of the event loop share.
    let sockets: SocketLoop
    let service: SocketService
    /// The send state that other threads may read.
    let gate = SendGate()
    package var memberIndex = -1
    @exclusivity(unchecked) var application = Application()
    @exclusivity(unchecked) var machine: WebSocketMachine
    @exclusivity(unchecked) var phase: Phase = .open
    @exclusivity(unchecked) var input = Input()
    @exclusivity(unchecked) var codecUse = CodecUse()
    @exclusivity(unchecked) var memberships = Memberships()
    /// When a message was last sent or received. Some time later, compression with context takeover goes to sleep.
    @exclusivity(unchecked) var lastMessage = LoopInstant.now
    /// State that most connections never need; see ``makeRareState()``.
    @exclusivity(unchecked) private(set) var rareState: RareState?

    init(loop: LoopContext, machine: consuming WebSocketMachine, service: SocketService) {
        self.loop = loop
        transport = Transport(loop: loop, gathersBacklog: true)
        sockets = SocketLoop.of(loop)
        self.machine = machine
        self.service = service
    }

    var limits: WSLimits { service.limits.value }

    /// Whether the peer must read before more is sent.
    var isFull: Bool { !transport.isWritable }

    /// The message that is being sent in parts.
    var stream: OutgoingStream? { rareState?.stream }

    /// Why the connection ended; `nil` before.
    var closeReason: CloseReason? {
        get { rareState?.closeReason }
        set { makeRareState().closeReason = newValue }
    }

    /// State that most connections never need. It is created when first needed, so that idle sockets take less memory.
    final class RareState {
        var closeWaiters: [UnsafeContinuation<Void, Never>] = []
        /// The newest missed message of each room with `SlowClientPolicy.latestOnly`.
        var latestMissed: [(room: ObjectIdentifier, message: PreparedMessage)] = []
        /// The payload of the last ping that arrived while the send buffer was full. Earlier ones need no pong
        /// (RFC 6455 §5.5.3).
        var pendingPong: ByteBuffer?
        /// Why the connection ended.
        var closeReason: CloseReason?
        /// The message that is being sent in parts.
        var stream: OutgoingStream?
        /// When the close handshake of the drain begins.
        var drainAt: LoopInstant?
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
        transport.attach(context)
        sockets.statistics.sockets += 1
        loop.add(self)
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        transport.detach()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        loop.turn { receive(unwrapInboundIn(data)) }
    }

    /// Receives bytes from the channel, or bytes that the HTTP handler read before the upgrade.
    func receive(_ data: ByteBuffer) {
        loop.countReceived(bytes: data.readableBytes)
        guard case .open = phase else { return }
        var data = data
        if input.buffer.readableBytes == 0 {
            input.buffer = data
        } else {
            input.buffer.discardReadBytes()
            input.buffer.writeBuffer(&data)
        }
        process()
    }

    /// Reads are held back while the application does not read its messages.
    package func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { input.isReadHeldBack = true }
    }

    private var mayRead: Bool { mayReceive && input.buffer.readableBytes < Self.readAhead }

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
        !input.inbox.isAwaited && loop.now < input.deferredUntil && machine.isOpen
            && rareState?.pings.isEmpty != false
    }

    /// Whether there is input to decode.
    var hasUndecoded: Bool { input.buffer.readableBytes > 0 || machine.hasPendingPart }

    /// Whether the application can accept messages: the inbox has room, or there is room for the reply of a callback.
    var mayReceive: Bool {
        guard case .open = phase else { return true }
        switch service.consumer {
        case .task:
            return !input.inbox.isFull(
                maxMessages: service.limits.value.maxQueuedMessages,
                maxBytes: service.limits.value.maxQueuedBytes)
        case .callbacks: return !isFull
        }
    }

    func resumeReading() {
        guard input.isReadHeldBack, mayRead else { return }
        input.isReadHeldBack = false
        transport.read()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        loop.turn { inputClosed() }
    }

    /// Handles that the peer has closed its side. What it sent before is still decoded, above all a close frame.
    func inputClosed() {
        input.isClosed = true
        process()
        // While lingering, nothing else is awaited.
        if isClosed { transportEnded(.lost(.transportClosed)) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        loop.turn { transportEnded(.lost(.transportClosed)) }
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        service.logger.debug("WebSocket transport failed", metadata: ["error": .clean(error)])
        context.close(promise: nil)
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        loop.turn {
            transport.writabilityChanged()
            writabilityChanged()
        }
        context.fireChannelWritabilityChanged()
    }
}
