import HTTPTypes
import NIOCore

/// The way out: how responses look on an HTTP/1.1 connection (RFC 9112).
extension HTTPConnection: ExchangeCarrier {
    var isWritable: Bool { transport.isWritable }

    func send(_ response: Response, of exchange: Exchange) -> Int {
        writeWhole(response, to: exchange)
    }

    /// Writes head and content of a response that needs no waiting.
    ///
    /// - Parameter exchange: `nil` for the response to what could not be read as a request.
    /// - Returns: how many bytes of content were written.
    @discardableResult
    func writeWhole(_ response: Response, to exchange: Exchange?) -> Int {
        let isHead = exchange?.isHeadRequest ?? decoder.isHeadRequest
        let hasContent = response.status.allowsContent && !isHead
        switch response.body.storage {
        case .string(let text) where hasContent:
            writeHead(response, to: exchange, content: text.utf8)
            return text.utf8.count
        case .bytes(let buffer) where hasContent:
            writeHead(response, to: exchange)
            transport.write(buffer)
            return buffer.readableBytes
        case .empty, .string, .bytes, .stream, .parts:
            writeHead(response, to: exchange)
            return 0
        }
    }

    func sendHead(of response: Response, _ exchange: Exchange) -> ResponseFraming {
        writeHead(response, to: exchange)
    }

    /// Decides framing and persistence, and writes the head, with text behind it.
    @discardableResult
    private func writeHead(
        _ response: Response, to exchange: Exchange?, content text: String.UTF8View = "".utf8
    ) -> ResponseFraming {
        content.isContinueOwed = content.isContinueOwed && !content.isDone
        if !mayFollowUnread(response) { stopPersisting() }
        let isHead = exchange?.isHeadRequest ?? decoder.isHeadRequest
        let minorVersion = exchange?.head.version == .http10 ? 0 : 1
        let framing = Self.framing(of: response, isHead: isHead, minorVersion: minorVersion)
        if framing == .untilClose { persistence = .endsContent }
        let date = loop.dateLine
        let keepsAlive = persistence == .goesOn
        var goesOn = true
        transport.append {
            goesOn = ResponseEncoder.writeHead(
                status: response.status, fields: response.fields, preparedFields: response.preparedFields,
                framing: framing,
                declaredLength: framing == .noContent
                    ? Self.declaredLength(of: response, isHead: isHead) : nil,
                minorVersion: minorVersion, keepAlive: keepsAlive, date: date, content: text, into: &$0)
        }
        if !goesOn { stopPersisting() }
        return framing
    }

    /// Closes the connection behind this response.
    func stopPersisting() {
        if persistence == .goesOn { persistence = .closes }
    }

    /// What Content-Length says where no content is sent: how long it would have been (RFC 9110 §8.6).
    private static func declaredLength(of response: Response, isHead: Bool) -> Int? {
        guard isHead || response.status == .notModified, response.status != .noContent else { return nil }
        let length = response.declaredLength ?? response.body.length
        return response.status == .notModified && length == 0 ? nil : length
    }

    private static func framing(of response: Response, isHead: Bool, minorVersion: Int) -> ResponseFraming {
        // A 205 says that it has no content (RFC 9110 §15.3.6).
        if response.status == .resetContent, !isHead { return .length(0) }
        guard response.status.allowsContent, !isHead else { return .noContent }
        if let length = response.body.length { return .length(length) }
        return minorVersion == 0 ? .untilClose : .chunked
    }

    /// Whether another request may follow although not all content of this one has been read. A streamed response may
    /// still read it, so that is decided at its end.
    private func mayFollowUnread(_ response: Response) -> Bool {
        if content.isDone { return true }
        let remainder = remainder
        if case .length = remainder, case .stream = response.body.storage { return true }
        return Persistence.canDiscard(remainder, limit: limits.maxDiscardedBody)
    }

    func write(_ data: ByteBuffer, _ framing: ResponseFraming) {
        if framing == .chunked {
            transport.append { ResponseEncoder.writeChunkHead(data.readableBytes, into: &$0) }
            transport.write(data)
            transport.append { $0.writeStaticString("\r\n") }
        } else {
            transport.write(data)
        }
        if transport.gathered > server.maxGathered { transport.flush() }
    }

    var sendsFiles: Bool { session == nil }

    func write(_ file: FileSlice, offset: Int, count: Int) async throws {
        try await transport.send(file, offset: offset, count: count)
    }

    func endContent(_ framing: ResponseFraming, trailers: HTTPFields?) {
        guard framing == .chunked else { return }
        transport.append { ResponseEncoder.writeLastChunk(trailers: trailers, into: &$0) }
    }

    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields) {
        guard case .exchange(let exchange) = phase, exchange.head.version != .http10 else { return }
        transport.append { ResponseEncoder.writeInterim(status: status, fields: fields, into: &$0) }
    }

    func flush() { transport.flush() }

    func waitUntilWritable(_ exchange: Exchange) async throws {
        transport.flush()
        while exchange.isServed, !transport.isWritable {
            try Task.checkCancellation()
            await transport.waitForRoom()
        }
    }

    func responseIsComplete(_ exchange: Exchange) {
        guard !content.isDone else { return }
        if !Persistence.canDiscard(remainder, limit: limits.maxDiscardedBody) { stopPersisting() }
        deadline = loop.now.advanced(byMilliseconds: server.bodyMilliseconds)
        exchange.bodyStream?.fail(.incompleteBody)
    }

    func breakOff(_ exchange: Exchange) { closeNow() }

    func stopHandler(of exchange: Exchange) {
        transport.resumeWriters()
        cancelHandler()
        process()
    }

    /// Writes the 101, leaves the pipeline, and hands the channel over with what was read (RFC 9110 §7.8).
    ///
    /// - Throws: `HTTPFailure` (400): content would have to be read first, and HTTP/1.0 cannot upgrade.
    func perform(_ upgrade: Upgrade, fields: HTTPFields, of exchange: Exchange) throws {
        guard content.isDone, exchange.head.version != .http10 else {
            throw HTTPFailure(.badRequest, "an upgrade is asked for in HTTP/1.1, without content")
        }
        guard let channel = transport.channel, let info else { return }
        transport.append {
            ResponseEncoder.writeInterim(status: .switchingProtocols, fields: fields, into: &$0)
        }
        transport.flush()
        exchange.upgraded(status: HTTPResponse.Status.switchingProtocols.code)
        phase = .closed
        let unread = input.buffer
        input.buffer = ByteBuffer()
        channel.pipeline.syncOperations.removeHandler(self, promise: nil)
        upgrade.start(
            UpgradedConnection(
                channel: channel, connection: info, unread: unread, isInputClosed: input.isClosed))
        channel.read()
    }
}
