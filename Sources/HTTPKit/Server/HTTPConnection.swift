import HTTPTypes
import Logging
import NIOCore

/// One HTTP/1.1 connection: the only handler above the transport. It reads requests, runs the responder for each
/// on its own event loop, and writes the answers in order.
///
/// Invariant: the state is touched on the channel's event loop only, which debug builds assert where a call may
/// come from elsewhere. The responder's task runs there too, so no hop and no lock stands between them.
///
/// `@exclusivity(unchecked)` stands where the compiler cannot see that no two accesses overlap and would check each
/// of them when it runs, some 170 instructions each. They do not overlap, since what is
/// passed on `inout` goes to cores that know nothing of the connection.
final class HTTPConnection: ChannelDuplexHandler, RemovableChannelHandler, LoopMember, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    enum Phase {
        /// Waiting for a request, or in the midst of its head.
        case head
        /// A request is being answered.
        case exchange
        /// The last answer is on its way; the server's side closes behind it.
        case closing
        /// The server's side is closed; what still arrives is dropped, until `end` at the latest (RFC 9112 §9.6).
        case lingering(end: LoopInstant)
        /// The channel is closed, or belongs to another protocol.
        case closed
    }

    /// How far the answer is.
    enum Answer {
        case pending
        /// A streamed answer of which nothing has been sent.
        indirect case prepared(Response)
        case streaming(ResponseFraming, remaining: Int?)
        case complete
    }

    let server: ServerContext
    let loop: LoopContext
    private let refusal: Admission.Refusal?
    @exclusivity(unchecked) var context: ChannelHandlerContext?
    @exclusivity(unchecked) var info: ConnectionInfo?
    var memberIndex = -1

    @exclusivity(unchecked) var phase: Phase = .head
    @exclusivity(unchecked) var inbound = ByteBuffer()
    @exclusivity(unchecked) var isInputClosed = false
    @exclusivity(unchecked) var drainDeadline: LoopInstant?
    @exclusivity(unchecked) var deadline: LoopInstant
    @exclusivity(unchecked) var requestCount = 0
    @exclusivity(unchecked) var decoder: RequestDecoder
    @exclusivity(unchecked) var isProcessing = false
    @exclusivity(unchecked) private var isReadHeld = false
    /// What was read waits for a later turn, since this connection has used up its time in this one.
    @exclusivity(unchecked) private var isGivingWay = false
    /// Whether a part of a head has been read.
    @exclusivity(unchecked) var isReadingHead = false

    // The exchange.
    @exclusivity(unchecked) var exchange: UInt64 = 0
    @exclusivity(unchecked) var answer: Answer = .complete
    @exclusivity(unchecked) var body: BodyDecoder = .done
    @exclusivity(unchecked) var bodyStream: BodyStream?
    @exclusivity(unchecked) var bodyPace = BodyPace()
    @exclusivity(unchecked) var discarded = 0
    @exclusivity(unchecked) var isContinueOwed = false
    @exclusivity(unchecked) var keepsAlive = true
    @exclusivity(unchecked) var isHeadRequest = false
    @exclusivity(unchecked) var minorVersion = 1
    /// Whether middleware had noted anything about the exchange when its response was sent.
    @exclusivity(unchecked) var hasNotes = false
    /// What has been sent of the response: its status, 0 before its head, and the bytes of its body.
    @exclusivity(unchecked) var sentStatus = 0
    @exclusivity(unchecked) var sentBodyBytes = 0
    /// What only some exchanges need.
    @exclusivity(unchecked) var rare: RareExchangeState?
    /// Who serves this connection's requests, while there are any.
    @exclusivity(unchecked) private var worker: Worker?
    /// The worker that has answered a request takes the next one itself.
    @exclusivity(unchecked) var isServing = false
    @exclusivity(unchecked) private var nextRequest: Request?

    // Writing.
    @exclusivity(unchecked) var out: ByteBuffer?
    @exclusivity(unchecked) var isFlushRequested = false
    @exclusivity(unchecked) var needsFlush = false
    /// What the channel said last; asking it for every request costs more than being told.
    @exclusivity(unchecked) private var isWritable = true
    var writeWaiters: [UnsafeContinuation<Void, Never>] = []
    var sending: FileSlice?
    @exclusivity(unchecked) var writeProgress = WriteProgress()
    /// The content of the last answer is as long as the connection lasts (RFC 9112 §6.3).
    @exclusivity(unchecked) var isEndedByClose = false

    var limits: HTTPLimits { server.limits }

    /// - Parameter refusal: why this connection is answered with an error and closed, if it is.
    init(server: ServerContext, loop: LoopContext, refusal: Admission.Refusal?) {
        self.refusal = refusal
        self.server = server
        self.loop = loop
        decoder = RequestDecoder(limits: server.limits)
        deadline = LoopInstant.now.advanced(by: server.limits.headTimeout)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isWritable = context.channel.isWritable
        loop.add(self)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        if let refusal {
            loop.turn {
                keepsAlive = false
                writeWhole(server.response(to: refusal.error, of: nil))
                closeGracefully()
            }
        } else if let drainDeadline = loop.drainDeadline {
            // It was accepted just before the server stopped listening.
            loop.turn { drain(deadline: drainDeadline) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(self)
        info?.connection = nil
        info = nil
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        loop.turn {
            var buffer = unwrapInboundIn(data)
            loop.statistics.bytesIn &+= buffer.readableBytes
            if case .lingering = phase {
                deadline = loop.now.advanced(by: limits.lingerTimeout)
                return
            }
            if case .closing = phase { return }
            if inbound.readableBytes == 0 {
                inbound = buffer
            } else {
                inbound.discardReadBytes()
                inbound.writeBuffer(&buffer)
            }
            process()
        }
    }

    /// Reads are held back while what was read waits to be used: backpressure towards the client.
    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadHeld = true }
    }

    private var mayRead: Bool {
        !isGivingWay && inbound.readableBytes < server.readAhead
            && (bodyStream?.bufferedBytes ?? 0) < limits.bodyBufferSize
    }

    func resumeReading() {
        guard isReadHeld, mayRead else { return }
        isReadHeld = false
        context?.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        loop.turn {
            isInputClosed = true
            // The client may have closed its side only, and wait for the answers to all it has sent (RFC 9112 §9.6).
            if case .lingering = phase { return context.close(promise: nil) }
            process()
            clientClosedItsSide()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.turn {
            noteEnd(isComplete: false)
            let wasServing = if case .exchange = phase { true } else { false }
            phase = .closed
            exchange &+= 1
            info?.isClosed = true
            if wasServing { tellOfDisconnect() }
            releaseExchange()
            resumeWriters()
            cancelHandler()
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        server.logger.debug("connection failed", metadata: ["error": .clean(error)])
        breakOff()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        loop.turn {
            isWritable = context.channel.isWritable
            if isWritable {
                resumeWriters()
                process()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Requests

    /// Goes on with what has been read, as far as it reaches.
    func process() {
        guard !isProcessing, !isGivingWay else { return }
        isProcessing = true
        defer {
            isProcessing = false
            if inbound.readableBytes == 0 { inbound = ByteBuffer() }
            resumeReading()
        }
        while true {
            switch phase {
            case .head:
                if loop.isTurnSpent, inbound.readableBytes > 0 { return giveWay() }
                guard canBeginRequest else { return }
                guard readHead() else {
                    // Nothing more will come, whole or not.
                    if isInputClosed, case .head = phase { closeGracefully() }
                    return
                }
            case .exchange:
                guard readBody(), endExchange() else { return }
            case .closing, .lingering, .closed:
                inbound = ByteBuffer()
                return
            }
        }
    }

    /// Whether something that was read waits to be used, such as pipelined requests.
    var hasInput: Bool { inbound.readableBytes > 0 }

    /// Goes on with the pipelined requests in a later turn; until then nothing is read from the channel.
    private func giveWay() {
        isGivingWay = true
        loop.giveWay {
            self.isGivingWay = false
            self.process()
        }
    }

    /// No request is begun while the answers before it are not taken: a client that does not read gets no more.
    private var canBeginRequest: Bool {
        if let waiting = out?.readableBytes, waiting > server.limits.writeBufferSize / 4 { flush() }
        return isWritable
    }

    /// Reads the next head and begins its exchange. Answers whether there is more to do.
    private func readHead() -> Bool {
        do throws(HTTPError) {
            guard let head = try decoder.next(&inbound) else {
                if decoder.isInHead(inbound), !isReadingHead {
                    isReadingHead = true
                    deadline = loop.now.advanced(by: limits.headTimeout)
                }
                return false
            }
            isReadingHead = false
            begin(head)
            return true
        } catch {
            refuse(error)
            return false
        }
    }

    private func begin(_ head: consuming RequestHead) {
        guard let info = connectionInfo else { return closeNow() }
        requestCount &+= 1
        loop.statistics.requests &+= 1
        exchange &+= 1
        phase = .exchange
        answer = .pending
        sentStatus = 0
        deadline = .never
        isHeadRequest = decoder.isHeadRequest
        minorVersion = head.minorVersion
        keepsAlive =
            Persistence.wants(head) && drainDeadline == nil
            && requestCount < server.limits.maxRequestsPerConnection
        isContinueOwed = head.expectsContinue && head.framing != .none
        let content: RequestBody
        if case .none = head.framing {
            body = .done
            content = .empty
        } else {
            body = BodyDecoder(head.framing, limits: server.limits)
            var length: Int?
            if case .length(let declared) = head.framing { length = declared }
            let stream = BodyStream(declaredLength: length, loop: loop)
            stream.connection = self
            bodyStream = stream
            bodyPace = BodyPace()
            discarded = 0
            content = RequestBody(storage: .stream(stream))
        }
        run(
            Request(
                head: head, body: content, connection: info, bodyLimit: server.limits.maxBodySize,
                exchange: exchange
            ))
    }

    private var connectionInfo: ConnectionInfo? {
        if info == nil, let channel = context?.channel { describeClient(channel.remoteAddress, .peer) }
        return info
    }

    /// Says who the client is. Without it, that is the peer of the channel.
    func describeClient(_ address: SocketAddress?, _ kind: ClientKind) {
        info = ConnectionInfo(
            remoteAddress: address, client: kind,
            isSecure: server.isSecure, isProxy: server.isProxy,
            forwardedFields: server.forwardedFields, loop: loop, owner: server.owner,
            logger: server.logger)
        info?.connection = self
    }

    /// Has the request served on this loop, without a hop; most are done when this returns.
    ///
    /// The worker goes on with the requests that are there already when its answer is complete.
    private func run(_ request: Request) {
        if isServing {
            nextRequest = request
        } else {
            worker = loop.takeWorker()
            worker?.serve(request, of: self)
        }
    }

    /// Cancels the task that serves this connection. No other request may follow on it.
    func cancelHandler() {
        worker?.cancel()
        worker = nil
    }

    /// `worker` has been cancelled by its handler: what has arrived behind the request is served by another one.
    func goOn(without worker: Worker) {
        if self.worker === worker { self.worker = nil }
        process()
    }

    /// The request behind the one that `worker` has just answered, where it has arrived.
    func takeNextRequest(for worker: Worker) -> Request? {
        let wasProcessing = isProcessing
        isProcessing = false
        isServing = true
        process()
        isServing = false
        isProcessing = wasProcessing
        let next = nextRequest
        nextRequest = nil
        if next == nil, self.worker === worker { self.worker = nil }
        return next
    }
}
