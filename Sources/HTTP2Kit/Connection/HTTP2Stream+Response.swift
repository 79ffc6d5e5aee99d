import HTTPKit
import HTTPTypes
import NIOCore

/// How responses look on a stream (RFC 9113 §8.1).
extension HTTP2Stream: ExchangeCarrier {
    func send(_ response: Response, of exchange: Exchange) -> Int { respond(response) }

    /// Sends a response that needs no waiting.
    ///
    /// - Returns: how many bytes of content it has.
    @discardableResult
    func respond(_ response: Response) -> Int {
        let hasContent = response.status.allowsResponseContent && !isHeadRequest
        if hasContent, case .string(let text) = response.body.storage {
            let content = text.utf8
            if !content.isEmpty, connection.canSendAtOnce(content.count, window: currentWindow) {
                writeHead(response, endsStream: false, content: content)
                spendWindow(content.count)
                outgoing = .ended
                responseIsSent()
                return content.count
            }
        }
        let content = hasContent ? Self.wholeContent(of: response.body) : ByteBuffer()
        writeHead(response, endsStream: content.readableBytes == 0)
        if content.readableBytes > 0 {
            enqueue(content)
            finish(trailers: nil)
        }
        responseIsSent()
        return content.readableBytes
    }

    private static func wholeContent(of body: ResponseBody) -> ByteBuffer {
        switch body.storage {
        case .string(let text): ByteBuffer(string: text)
        case .bytes(let buffer): buffer
        case .empty, .stream, .parts: ByteBuffer()
        }
    }

    /// A response without an exchange has nobody to say that it is complete.
    private func responseIsSent() { if exchange == nil { leaveIfDone() } }

    func sendHead(of response: Response, _ exchange: Exchange) -> ResponseFraming {
        let hasContent = response.status.allowsResponseContent && !isHeadRequest
        writeHead(response, endsStream: !hasContent)
        guard hasContent else { return .noContent }
        return response.body.length.map { .length($0) } ?? .untilClose
    }

    private func writeHead(_ response: Response, endsStream: Bool, content: String.UTF8View? = nil) {
        guard case .head = outgoing else { return }
        if let options = response.fields[.connection], options.lowercased().contains("close") {
            connection.goAway()
        }
        connection.writeHead(
            on: id, status: response.status, fields: response.fields,
            contentLength: contentLength(of: response), date: loop.dateLine, endsStream: endsStream,
            content: content)
        outgoing = endsStream ? .ended : .content
    }

    /// What Content-Length says: also how long content that is not sent would have been (RFC 9110 §8.6).
    private func contentLength(of response: Response) -> Int? {
        let status = response.status
        if status.code < 200 || status == .noContent { return nil }
        if status == .resetContent { return 0 }
        let length = response.declaredLength ?? response.body.length
        return status == .notModified && length == 0 ? nil : length
    }

    func write(_ data: ByteBuffer, _ framing: ResponseFraming) {
        guard case .content = outgoing else { return }
        enqueue(data)
    }

    /// Frames have to be written around the bytes of a file.
    var sendsFiles: Bool { false }

    func write(_ file: FileSlice, offset: Int, count: Int) async throws {
        throw ChannelError.operationUnsupported
    }

    func endContent(_ framing: ResponseFraming, trailers: HTTPFields?) { finish(trailers: trailers) }

    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields) {
        guard case .head = outgoing else { return }
        connection.writeHead(
            on: id, status: status, fields: fields, contentLength: nil, date: nil, endsStream: false)
    }

    func flush() {
        connection.pump()
        connection.transport.flush()
    }

    func waitUntilWritable(_ exchange: Exchange) async throws {
        flush()
        while exchange.isServed, !isWritable {
            try Task.checkCancellation()
            await waitForRoom()
        }
    }

    func responseIsComplete(_ exchange: Exchange) {
        exchange.bodyStream?.fail(.incompleteBody)
        letGo()
        leaveIfDone()
    }

    func breakOff(_ exchange: Exchange) {
        end(.reset)
        connection.reset(id, .internalError)
    }

    func stopHandler(of exchange: Exchange) {
        resumeWriters()
        worker?.cancel()
        worker = nil
    }

    /// Answers an extended CONNECT with 200, and makes the stream a channel of its own (RFC 8441 §5).
    ///
    /// - Throws: `HTTPFailure` (400) for any other request: HTTP/2 has no Upgrade (RFC 9113 §8.6).
    func perform(_ upgrade: Upgrade, fields: HTTPFields, of exchange: Exchange) throws {
        guard exchange.request.head.connectProtocol != nil, let parent = connection.transport.channel else {
            throw HTTPFailure(
                .badRequest, "in HTTP/2 a change of protocol is asked for by an extended CONNECT")
        }
        connection.writeHead(
            on: id, status: .ok, fields: fields, contentLength: nil, date: loop.dateLine, endsStream: false)
        outgoing = .content
        let info = exchange.connection
        exchange.upgraded(status: HTTPResponse.Status.ok.code)
        let tunnel = TunnelChannel(stream: self, parent: parent)
        self.tunnel = tunnel
        let unread = content.takeEarly()
        detachExchange()
        var isInputClosed = true
        if case .open = incoming { isInputClosed = false }
        upgrade.start(
            UpgradedConnection(
                channel: tunnel, connection: info, unread: unread, isInputClosed: isInputClosed))
        tunnel.begin()
        credit()
    }
}

/// The worker of a stream serves its one request.
extension HTTP2Stream: RequestSource {
    var handlerScope: HandlerScope? { connection.server.handlerScope }

    func handler(for request: Request) -> Handler { connection.server.responder.handler(for: request) }

    var hasInput: Bool { false }

    func nextExchange(for worker: Worker) -> Exchange? {
        if self.worker === worker { self.worker = nil }
        connection.handlerEnded()
        return nil
    }

    func goOn(without worker: Worker) {
        if self.worker === worker { self.worker = nil }
        connection.handlerEnded()
    }
}

extension HTTPResponse.Status {
    /// Whether a response of this status may have content (RFC 9110 §6.4.1). A 205 has none (§15.3.6).
    fileprivate var allowsResponseContent: Bool { code >= 200 && code != 204 && code != 205 && code != 304 }
}
