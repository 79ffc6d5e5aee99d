import HTTPKit
import HTTPTypes
import Logging
import NIOCore

/// One stream (RFC 9113 §5): it carries one exchange, or the tunnel that an extended CONNECT has made of it.
///
/// Its two directions end by themselves. It leaves the connection when both have, or when it is reset.
///
/// Invariant: touched on the connection's event loop only.
final class HTTP2Stream: @unchecked Sendable {
    /// What the client sends.
    enum Incoming {
        /// `remaining` is what Content-Length has announced and has not come.
        case open(remaining: Int?)
        case ended
    }

    /// What the server sends.
    enum Outgoing {
        /// The head is still to come.
        case head
        case content
        /// Nothing follows what is queued but the end, with or without trailers.
        case ending(HTTPFields?)
        case ended
    }

    /// Why a stream ends before its time.
    enum End {
        /// Either side has reset it.
        case reset
        case connectionClosed
    }

    let id: UInt32
    let isHeadRequest: Bool
    let connection: HTTP2Connection
    @exclusivity(unchecked) private(set) var exchange: Exchange?
    @exclusivity(unchecked) var worker: Worker?
    @exclusivity(unchecked) var incoming: Incoming
    @exclusivity(unchecked) var outgoing = Outgoing.head
    @exclusivity(unchecked) private(set) var queue = SendQueue()
    @exclusivity(unchecked) private(set) var sendWindow: Int
    @exclusivity(unchecked) var receiveWindow: ReceiveWindow
    @exclusivity(unchecked) var content = StreamContent()
    /// Whether it stands in the connection's list of streams that can send.
    @exclusivity(unchecked) private var isReady = false
    @exclusivity(unchecked) private var writers: [UnsafeContinuation<Void, Never>] = []
    /// What is known of a client that does not open the window of this stream.
    @exclusivity(unchecked) private var progress: WriteProgress?
    /// The channel that an extended CONNECT has made of the stream.
    @exclusivity(unchecked) var tunnel: TunnelChannel?

    var loop: LoopContext { connection.loop }

    init(id: UInt32, connection: HTTP2Connection, isHeadRequest: Bool, endsStream: Bool) {
        self.id = id
        self.connection = connection
        self.isHeadRequest = isHeadRequest
        incoming = endsStream ? .ended : .open(remaining: nil)
        sendWindow = connection.output.peer.initialWindowSize
        let size = connection.limits.streamWindow
        receiveWindow = ReceiveWindow(size: size, open: size)
    }

    /// Makes the exchange of the request that the stream carries.
    func makeExchange(_ message: RequestMessage, info: ConnectionInfo) -> Exchange {
        var storage = RequestBody.Storage.empty
        if case .open = incoming {
            incoming = .open(remaining: message.contentLength)
            content.isContinueOwed = message.expectsContinue
            // What follows an extended CONNECT is no content (RFC 8441 §4).
            if message.head.connectProtocol == nil {
                storage = .stream(
                    BodyStream(declaredLength: message.contentLength, loop: loop, carrier: self))
            }
        }
        let exchange = Exchange(
            head: message.head, isHeadRequest: isHeadRequest, content: storage, connection: info,
            carrier: self)
        self.exchange = exchange
        if connection.input.isClosed { exchange.clientClosedItsSide() }
        return exchange
    }

    // MARK: The end

    /// Ends the stream in the midst of what it does.
    func end(_ reason: End) {
        incoming = .ended
        outgoing = .ended
        for promise in queue.removeAll() { promise.fail(ChannelError.ioOnClosedChannel) }
        content.release(self)
        if let exchange {
            self.exchange = nil
            exchange.clientIsGone()
        }
        resumeWriters()
        worker?.cancel()
        worker = nil
        let tunnel = tunnel
        self.tunnel = nil
        tunnel?.streamEnded()
        if reason == .reset { connection.remove(self) }
    }

    /// The response is complete: nothing more is asked of the exchange.
    func letGo() {
        guard let exchange else { return }
        self.exchange = nil
        content.release(self)
        exchange.end()
    }

    /// Leaves the connection if both directions have ended.
    ///
    /// A client may still send content when its response is complete. Many clients lose the response if their stream is
    /// reset then (RFC 9113 §8.1 allows it), or wait for room to send the rest. So what they send is dropped, as on a
    /// connection of HTTP/1.1, until nothing has come for `lingerTimeout`, or `maxLingerTime` is over.
    func leaveIfDone() {
        guard case .ended = outgoing else { return }
        if case .open = incoming {
            let limits = connection.server.limits
            content.dropUntil = loop.now.advanced(by: limits.maxLingerTime)
            content.deadline = loop.now.advanced(by: limits.lingerTimeout)
            credit()
        } else {
            connection.remove(self)
        }
    }

    /// The exchange has become a tunnel.
    func detachExchange() { exchange = nil }

    func serverDrains() { exchange?.serverDrains() }

    /// The client has closed its side of the connection.
    func inputClosed() {
        if case .open = incoming {
            incoming = .ended
            exchange?.bodyStream?.fail(.incompleteBody)
            tunnel?.inputEnded()
        }
        exchange?.clientClosedItsSide()
    }

    // MARK: Sending

    /// What waits for room.
    var queued: SendQueue { queue }

    /// Adds content to what is sent when there is room.
    func enqueue(_ data: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
        queue.append(data, promise: promise)
        enlistIfReady()
    }

    /// Ends the stream behind what is queued.
    func finish(trailers: HTTPFields?) {
        guard case .content = outgoing else { return }
        outgoing = .ending(trailers)
        enlistIfReady()
    }

    /// Whether what comes next takes no room in a window.
    var needsNoWindow: Bool { queue.count == 0 }

    private var hasToSend: Bool {
        if !queue.isEmpty { return needsNoWindow || sendWindow > 0 }
        if case .ending = outgoing { return true }
        return false
    }

    private func enlistIfReady() {
        guard !isReady, hasToSend else { return }
        isReady = true
        connection.enlist(self)
    }

    /// Makes the window larger, or smaller by a change of SETTINGS; `false` if it becomes too large.
    func addWindow(_ difference: Int) -> Bool {
        sendWindow += difference
        guard sendWindow <= PeerSettings.maxWindow else { return false }
        enlistIfReady()
        return true
    }

    /// Sends one frame of what is queued, and the end with it. The connection has taken the stream off its list.
    ///
    /// - Returns: how many bytes were taken from the windows.
    func sendFrame(atMost limit: Int) -> Int {
        isReady = false
        let count = max(0, min(limit, sendWindow, queue.count))
        let isLast = count == queue.count
        var endsStream = false
        if isLast, case .ending(nil) = outgoing { endsStream = true }
        if count > 0 || endsStream {
            connection.transport.append {
                FrameWriter.writeHeader(
                    .data, endsStream ? .endStream : [], stream: id, length: count, into: &$0)
            }
        }
        let promises = queue.take(count) { connection.transport.write($0) }
        for promise in promises { promise.succeed() }
        sendWindow -= count
        if isLast, case .ending(let trailers) = outgoing {
            if let trailers { connection.writeTrailers(on: id, trailers) }
            outgoing = .ended
            leaveIfDone()
        } else {
            enlistIfReady()
        }
        roomChanged()
        return count
    }

    /// Counts content that was sent past the queue.
    func spendWindow(_ count: Int) {
        sendWindow -= count
        connection.output.window -= count
    }

    var currentWindow: Int { sendWindow }

    private func roomChanged() {
        tunnel?.roomChanged()
        if isWritable { resumeWriters() }
    }

    var isWritable: Bool { queue.count < connection.limits.streamWriteBuffer }

    func resumeWriters() {
        guard !writers.isEmpty else { return }
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume() }
    }

    /// Suspends the caller until `resumeWriters`.
    func waitForRoom() async {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { writers.append($0) }
        } onCancel: {
            // Never at once: the canceller may be in the middle of a change of this state.
            loop.eventLoop.execute { self.loop.turn { self.resumeWriters() } }
        }
    }

    // MARK: Time

    func tick(now: LoopInstant) {
        if isStalled(now: now) {
            end(.reset)
            connection.server.logger.debug("a client that keeps a stream's window closed was reset")
            return connection.reset(id, .cancel)
        }
        guard let exchange else { return endDropping(now: now) }
        checkContent(of: exchange, now: now)
        if !exchange.checkPresence(sent: queue.total, unsent: queue.count, now: now) {
            end(.reset)
            connection.reset(id, .cancel)
        }
    }

    /// Tells a client that still sends, long after its response, to stop.
    private func endDropping(now: LoopInstant) {
        guard let end = content.dropUntil, now >= min(content.deadline, end) else { return }
        incoming = .ended
        connection.reset(id, .noError)
        connection.remove(self)
    }

    /// Whether the client has kept the window of this stream closed for too long, while content waits for it.
    private func isStalled(now: LoopInstant) -> Bool {
        guard sendWindow <= 0, queue.count > 0 else {
            progress = nil
            return false
        }
        let known = progress ?? WriteProgress(handedOver: queue.total, unsent: queue.count, now: now)
        progress = known
        return known.look(
            handedOver: queue.total, unsent: queue.count, isFull: true, now: now,
            limits: connection.server.writeLimits) != nil
    }
}
