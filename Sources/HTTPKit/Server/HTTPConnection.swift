import HTTPTypes
import Logging
import NIOCore

/// One HTTP/1.1 connection: the only handler above the channel. It reads requests, has a worker serve each of them on its
/// own event loop, and writes the responses in order.
///
/// - `advance` reads what has arrived, up to the next request; it calls nothing that could call it again.
/// - `process` has a worker serve the requests that `advance` finds, and the worker takes those behind them itself.
/// - The extensions have one part each: the response (`+Response`), the content of the request (`+Content`), the end
///   (`+Closing`), time (`+Time`).
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
        /// The connection is not admitted: it is told why as soon as its channel is active.
        case refused(Admission.Refusal)
        /// Waiting for a request, or in the midst of its head.
        case head(hasBegun: Bool)
        /// A request is being served.
        case exchange(Exchange)
        /// The last response is on its way; the server's side closes behind it.
        case closing
        /// The server's side is closed; what still arrives is dropped, until `end` at the latest (RFC 9112 §9.6).
        case lingering(end: LoopInstant)
        /// The channel is closed, or belongs to another protocol.
        case closed
    }

    /// What has been read from the channel.
    struct Input {
        var buffer = ByteBuffer()
        /// The client has closed its side.
        var isClosed = false
        /// The channel waits to be asked for more.
        var isReadHeld = false
        /// What was read waits for a later turn, since this connection has used up its time in this one.
        var isGivingWay = false
    }

    let server: ServerContext
    let transport: Transport
    /// What the handshake has settled; `nil` if the connection is not encrypted.
    let session: SecureSession?
    private let workers: WorkerPool
    /// Who serves this connection's requests, while there are any.
    @exclusivity(unchecked) private var worker: Worker?
    @exclusivity(unchecked) var info: ConnectionInfo?
    var memberIndex = -1
    @exclusivity(unchecked) var phase: Phase
    @exclusivity(unchecked) var input = Input()
    @exclusivity(unchecked) var decoder: RequestDecoder
    @exclusivity(unchecked) var content = RequestContent()
    @exclusivity(unchecked) var persistence = Persistence.goesOn
    @exclusivity(unchecked) var deadline: LoopInstant
    @exclusivity(unchecked) private var requestCount = 0

    var loop: LoopContext { transport.loop }
    var limits: HTTPLimits { server.policy.limits }

    /// - Parameters:
    ///   - refusal: why this connection is answered with an error and closed, if it is.
    ///   - session: what the handshake has settled; `nil` if the connection is not encrypted.
    init(
        server: ServerContext, loop: LoopContext, refusal: Admission.Refusal?, session: SecureSession? = nil
    ) {
        self.server = server
        self.session = session
        transport = Transport(loop: loop, isSecure: session != nil)
        workers = WorkerPool.of(loop)
        phase = refusal.map { .refused($0) } ?? .head(hasBegun: false)
        decoder = RequestDecoder(limits: server.limits)
        deadline = LoopInstant.now.advanced(by: server.limits.headTimeout)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        transport.attach(context)
        loop.add(self)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        channelIsActive()
    }

    /// Turns the client away if it was not admitted.
    func channelIsActive() {
        if case .refused(let refusal) = phase {
            loop.turn { turnAway(refusal) }
        } else if let drainDeadline = loop.drainDeadline {
            // It was accepted just before the server stopped listening.
            loop.turn { drain(deadline: drainDeadline) }
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(self)
        info = nil
        transport.detach()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        loop.turn {
            var data = unwrapInboundIn(data)
            loop.statistics.bytesIn &+= data.readableBytes
            switch phase {
            case .lingering: deadline = loop.now.advanced(by: limits.lingerTimeout)
            case .closing, .refused: return
            case .head, .exchange, .closed:
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

    /// Reads are held back while what was read waits to be used: backpressure towards the client.
    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { input.isReadHeld = true }
    }

    private var mayRead: Bool {
        guard !input.isGivingWay, input.buffer.readableBytes < server.readAhead else { return false }
        guard !content.isDone, case .exchange(let exchange) = phase else { return true }
        return (exchange.bodyStream?.bufferedBytes ?? 0) < limits.bodyBufferSize
    }

    func resumeReading() {
        guard input.isReadHeld, mayRead else { return }
        input.isReadHeld = false
        transport.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        loop.turn {
            input.isClosed = true
            // The client may have closed its side only, and wait for the responses to all it has sent (RFC 9112 §9.6).
            if case .lingering = phase { return transport.close() }
            process()
            if case .exchange(let exchange) = phase { exchange.clientClosedItsSide() }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.turn {
            info?.isClosed = true
            let before = phase
            phase = .closed
            if case .exchange(let exchange) = before { exchange.clientIsGone() }
            transport.resumeWriters()
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
            transport.writabilityChanged()
            if transport.isWritable {
                transport.resumeWriters()
                process()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Requests

    /// Goes on with what has been read, as far as it reaches.
    func process() {
        while let exchange = advance() {
            let worker = workers.take()
            self.worker = worker
            // Most requests are done when this returns, and those behind them too.
            worker.serve(exchange, of: self)
        }
    }

    /// Reads on in what has arrived: the head of the next request, which is returned, or the content of the one that is
    /// served.
    private func advance() -> Exchange? {
        if input.isGivingWay { return nil }
        let exchange = findExchange()
        if input.buffer.readableBytes == 0 { input.buffer = ByteBuffer() }
        resumeReading()
        return exchange
    }

    private func findExchange() -> Exchange? {
        while true {
            switch phase {
            case .head:
                guard hasInput || input.isClosed else { return nil }
                if loop.isTurnSpent, hasInput {
                    giveWay()
                    return nil
                }
                return canBeginRequest ? readHead() : nil
            case .exchange(let exchange):
                guard readContent(of: exchange), end(exchange) else { return nil }
            case .refused, .closing, .lingering, .closed:
                input.buffer = ByteBuffer()
                return nil
            }
        }
    }

    /// Goes on with the pipelined requests in a later turn; until then nothing is read from the channel.
    private func giveWay() {
        input.isGivingWay = true
        loop.giveWay {
            self.input.isGivingWay = false
            self.process()
        }
    }

    /// No request is begun while the responses before it are not taken: a client that does not read gets no more.
    private var canBeginRequest: Bool {
        if transport.gathered > server.maxGathered { transport.flush() }
        return transport.isWritable
    }

    /// Reads the next head and begins its exchange; `nil` when it is not whole yet, or is none.
    private func readHead() -> Exchange? {
        do throws(HTTPError) {
            if let head = try decoder.next(&input.buffer) { return begin(head) }
        } catch {
            if error == .version, requestCount == 0, let other = otherProtocol() {
                change(to: other)
            } else {
                refuse(error)
            }
            return nil
        }
        if input.isClosed {
            // Nothing more will come, whole or not.
            closeGracefully()
        } else if case .head(hasBegun: false) = phase, decoder.isInHead(input.buffer) {
            phase = .head(hasBegun: true)
            deadline = loop.now.advanced(by: limits.headTimeout)
        }
        return nil
    }

    @inline(__always)
    private func begin(_ head: consuming RequestHead) -> Exchange? {
        guard let info = connectionInfo else {
            closeNow()
            return nil
        }
        requestCount &+= 1
        loop.statistics.requests &+= 1
        deadline = .never
        let facts = decoder.facts
        let isLast =
            !Persistence.isWanted(by: head, facts.connection) || loop.drainDeadline != nil
            || requestCount >= server.maxRequests
        persistence = isLast ? .closes : .goesOn
        let exchange = Exchange(
            head: head, isHeadRequest: decoder.isHeadRequest, content: beginContent(facts), connection: info,
            carrier: self)
        phase = .exchange(exchange)
        if input.isClosed { exchange.clientClosedItsSide() }
        return exchange
    }

    private var connectionInfo: ConnectionInfo? {
        if info == nil, let channel = transport.channel { describeClient(channel.remoteAddress, .peer) }
        return info
    }

    /// Says who the client is. Without it, that is the peer of the channel.
    func describeClient(_ address: SocketAddress?, _ kind: ClientKind) {
        info = ConnectionInfo(
            remoteAddress: address, client: kind, session: session, loop: loop, policy: server.policy)
    }

    /// Cancels the task that serves this connection. No other request may follow on it.
    func cancelHandler() {
        worker?.cancel()
        worker = nil
    }
}

/// The worker that has answered a request takes the one behind it itself.
extension HTTPConnection: RequestSource {
    var handlerScope: HandlerScope? { server.handlerScope }

    func handler(for request: Request) -> Handler { server.responder.handler(for: request) }

    var hasInput: Bool { input.buffer.readableBytes > 0 }

    func nextExchange(for worker: Worker) -> Exchange? {
        let next = advance()
        if next == nil, self.worker === worker { self.worker = nil }
        return next
    }

    func goOn(without worker: Worker) {
        if self.worker === worker { self.worker = nil }
        process()
    }
}
