import HTTPTypes
import Logging
import NIOCore

/// The way out: answers, streamed content, files, and the change of protocol.
extension HTTPConnection {
    /// The answer to what a handler threw. Its own failures are logged once, with the route; clients' are not.
    func answer(to error: any Error, of request: Request) -> Response {
        if let error = error as? ErrorWithFields {
            var response = answer(to: error.underlying, of: request)
            response.fields.append(contentsOf: error.fields)
            return response
        }
        if error is CancellationError { return Response(error: HTTPFailure(.serviceUnavailable)) }
        guard error is any ResponseError else {
            server.logger.error(
                "handler failed",
                metadata: [
                    "route": "\(request.method.rawValue) \(request.pattern)", "error": "\(error)",
                ])
            return server.errorPage?(error, request) ?? Response(error: error)
        }
        return Response(error: error)
    }

    /// Sends an answer that is there as a whole.
    ///
    /// - Returns: `false` when its content has still to be streamed.
    func send(_ response: Response, of request: Request, exchange: UInt64) -> Bool {
        loop.eventLoop.assertInEventLoop()
        guard exchange == self.exchange, case .exchange = phase else { return true }
        var response = response
        if let upgrade = response.upgrade, response.status == .switchingProtocols {
            if body.isDone, minorVersion > 0 {
                perform(upgrade, response, request)
                return true
            }
            // Content would have to be read first, and HTTP/1.0 cannot upgrade (RFC 9110 §7.8).
            response = Response(
                error: HTTPFailure(.badRequest, "an upgrade is asked for in HTTP/1.1, without content"))
        }
        if response.status.code < 200 {
            server.logger.error(
                "an interim status cannot be an answer", metadata: ["status": "\(response.status)"])
            response = Response(error: HTTPFailure(.internalServerError))
        }
        switch response.body.storage {
        case .empty, .string, .bytes: break
        case .stream, .parts:
            guard isHeadRequest || !Self.allowsContent(response.status) || response.status == .resetContent
            else {
                answer = .prepared(response)
                return false
            }
        }
        writeWhole(response)
        finishAnswer()
        return true
    }

    /// Writes head and content of an answer that needs no waiting.
    func writeWhole(_ response: Response) {
        let hasContent =
            Self.allowsContent(response.status) && !isHeadRequest && response.status != .resetContent
        writeHead(response)
        guard hasContent else { return }
        switch response.body.storage {
        case .string(let text): withOut { $0.writeString(text) }
        case .bytes(let buffer): write(buffer)
        case .empty, .stream, .parts: break
        }
    }

    private static func allowsContent(_ status: HTTPResponse.Status) -> Bool {
        status.code >= 200 && status.code != 204 && status.code != 304
    }

    /// Decides framing and persistence, and writes the head.
    private func writeHead(_ response: Response) {
        isContinueOwed = isContinueOwed && !body.isDone
        if !Persistence.canDiscard(remainder, limits: limits) { keepsAlive = false }
        if let options = response.fields[.connection], options.lowercased().contains("close") {
            keepsAlive = false
        }
        let framing = framing(of: response)
        if framing == .untilClose { keepsAlive = false }
        var declaredLength: Int?
        if framing == .noContent, isHeadRequest || response.status == .notModified,
            response.status != .noContent
        {
            declaredLength = response.declaredLength ?? response.body.length
            if response.status == .notModified, declaredLength == 0 { declaredLength = nil }
        }
        let dateLine = loop.dateLine
        let (minorVersion, keepsAlive) = (minorVersion, keepsAlive)
        withOut {
            ResponseEncoder.writeHead(
                status: response.status, fields: response.fields, preparedFields: response.preparedFields,
                framing: framing, declaredLength: declaredLength, minorVersion: minorVersion,
                keepAlive: keepsAlive,
                date: dateLine, into: &$0)
        }
    }

    private func framing(of response: Response) -> ResponseFraming {
        guard Self.allowsContent(response.status), !isHeadRequest else { return .noContent }
        // A 205 says that it has no content (RFC 9110 §15.3.6).
        if response.status == .resetContent { return .length(0) }
        if let length = response.body.length { return .length(length) }
        return minorVersion == 0 ? .untilClose : .chunked
    }

    func finishAnswer() {
        answer = .complete
        task = nil
        if !body.isDone {
            deadline = loop.now.advanced(byMilliseconds: server.bodyMilliseconds)
            bodyStream?.fail(.incompleteBody)
        }
        process()
    }

    // MARK: Streaming

    /// Runs the writer of a streamed answer to its end.
    func stream(_ response: Response, of request: Request, exchange: UInt64) async {
        do {
            switch response.body.storage {
            case .stream(_, let write): try await write(ResponseWriter(connection: self, exchange: exchange))
            case .parts(let parts): for part in parts { try await write(part, exchange: exchange) }
            case .empty, .string, .bytes: break
            }
            try loopBound { try endStream(exchange: exchange) }
        } catch {
            loopBound { failStream(error, of: request, exchange: exchange) }
        }
    }

    /// The task's executor is this loop, so user code cannot have moved it elsewhere.
    private func loopBound<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        loop.eventLoop.assertInEventLoop()
        try body()
    }

    private func endStream(exchange: UInt64) throws {
        guard exchange == self.exchange, case .exchange = phase else { return }
        if case .prepared(let response) = answer {
            if let length = response.body.length, length > 0 { throw ContentLengthError(missing: length) }
            beginStream(response)
        }
        guard case .streaming(let framing, let remaining) = answer else { return }
        if let remaining, remaining > 0 { throw ContentLengthError(missing: remaining) }
        if framing == .chunked {
            let trailers = trailers
            withOut { ResponseEncoder.writeLastChunk(trailers: trailers, into: &$0) }
        }
        finishAnswer()
    }

    /// Before the first octet a failure is an ordinary answer; behind it, only the end of the connection can tell.
    private func failStream(_ error: any Error, of request: Request, exchange: UInt64) {
        guard exchange == self.exchange, case .exchange = phase else { return }
        if case .prepared = answer {
            writeWhole(answer(to: error, of: request))
            finishAnswer()
        } else {
            if !(error is CancellationError) {
                server.logger.warning(
                    "answer broken off", metadata: ["route": "\(request.pattern)", "error": "\(error)"])
            }
            closeNow()
        }
    }

    private func beginStream(_ response: Response) {
        let framing = framing(of: response)
        writeHead(response)
        answer = .streaming(framing, remaining: response.body.length)
    }

    func writeBody(_ data: ByteBuffer, exchange: UInt64) async throws {
        guard loop.eventLoop.inEventLoop else {
            return try await Task(executorPreference: loop) {
                try await self.writeBody(data, exchange: exchange)
            }.value
        }
        try writePiece(data, exchange: exchange)
        try await waitUntilWritable(exchange: exchange)
    }

    /// Writes the head, if that has not been done.
    func openAnswer(exchange: UInt64) throws {
        guard exchange == self.exchange, case .exchange = phase else { throw CancellationError() }
        if case .prepared(let response) = answer { beginStream(response) }
    }

    /// Counts `octets` against what Content-Length has announced.
    @discardableResult
    func takeFromAnnounced(_ octets: Int, exchange: UInt64) throws -> ResponseFraming {
        guard exchange == self.exchange, case .streaming(let framing, let remaining) = answer else {
            throw CancellationError()
        }
        if let remaining {
            guard octets <= remaining else {
                throw ContentLengthError(missing: remaining - octets)
            }
            answer = .streaming(framing, remaining: remaining - octets)
        }
        return framing
    }

    private func writePiece(_ data: ByteBuffer, exchange: UInt64) throws {
        try openAnswer(exchange: exchange)
        let framing = try takeFromAnnounced(data.readableBytes, exchange: exchange)
        guard data.readableBytes > 0 else { return }
        if framing == .chunked {
            withOut { ResponseEncoder.writeChunkHead(data.readableBytes, into: &$0) }
            write(data)
            withOut { $0.writeStaticString("\r\n") }
        } else {
            write(data)
        }
        if let out, out.readableBytes > limits.writeBufferSize / 4 { flush() }
    }

    private func waitUntilWritable(exchange: UInt64) async throws {
        guard let channel = context?.channel, !channel.isWritable else { return }
        flush()
        while exchange == self.exchange, !channel.isWritable {
            await withUnsafeContinuation { writeWaiters.append($0) }
        }
        guard exchange == self.exchange else { throw CancellationError() }
    }

    func resumeWriters() {
        guard !writeWaiters.isEmpty else { return }
        let waiters = writeWaiters
        writeWaiters = []
        for waiter in waiters { waiter.resume() }
    }

    func setTrailers(_ trailers: HTTPFields, exchange: UInt64) {
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { self.setTrailers(trailers, exchange: exchange) }
        }
        if exchange == self.exchange { self.trailers = trailers }
    }

    /// Sends an interim answer such as 103 (RFC 8297) before the answer itself; HTTP/1.0 knows none.
    func sendInterim(_ status: HTTPResponse.Status, fields: HTTPFields, exchange: UInt64) {
        guard exchange == self.exchange, case .exchange = phase, isAnswerUnsent, minorVersion > 0 else {
            return
        }
        guard status.code > 101, status.code < 200 else { return }
        withOut { ResponseEncoder.writeInterim(status: status, fields: fields, into: &$0) }
    }

    // MARK: The buffer

    /// Appends to what is sent at the end of this turn.
    func withOut(_ body: (inout ByteBuffer) -> Void) {
        var buffer = out ?? loop.takeBuffer()
        out = nil
        body(&buffer)
        out = buffer
        requestFlush()
    }

    private func requestFlush() {
        guard !isFlushRequested else { return }
        isFlushRequested = true
        loop.flushLater(self)
    }

    /// Small content is copied behind its head; large content goes as it is.
    func write(_ buffer: ByteBuffer) {
        if buffer.readableBytes <= 4096 {
            withOut { $0.writeImmutableBuffer(buffer) }
        } else {
            handOver()
            countOut(buffer.readableBytes)
            context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
            needsFlush = true
            requestFlush()
        }
    }

    /// Gives what has gathered to the channel, without a flush.
    func handOver() {
        guard let buffer = out else { return }
        out = nil
        countOut(buffer.readableBytes)
        context?.write(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        needsFlush = true
        loop.recycle(buffer)
    }

    func countOut(_ octets: Int) {
        loop.statistics.bytesOut &+= octets
        writeProgress.handedOver &+= octets
    }

    func flush() {
        isFlushRequested = false
        guard let buffer = out else {
            if needsFlush {
                needsFlush = false
                context?.flush()
            }
            return
        }
        out = nil
        needsFlush = false
        countOut(buffer.readableBytes)
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(buffer)), promise: nil)
        loop.recycle(buffer)
    }

    // MARK: The change of protocol

    /// Writes the 101, leaves the pipeline, and hands the channel over with what was read (RFC 9110 §7.8).
    private func perform(_ upgrade: Upgrade, _ response: Response, _ request: Request) {
        guard let context else { return }
        withOut { ResponseEncoder.writeInterim(status: response.status, fields: response.fields, into: &$0) }
        flush()
        answer = .complete
        phase = .closed
        exchange &+= 1
        task = nil
        releaseBody()
        let unread = inbound
        inbound = ByteBuffer()
        let channel = context.channel
        let wasInputClosed = isInputClosed
        let drainDeadline = drainDeadline
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        upgrade.start(
            UpgradedConnection(
                channel: channel, request: request, unread: unread, isInputClosed: wasInputClosed,
                drainDeadline: drainDeadline))
        channel.read()
    }
}

/// A handler wrote more or less than it had announced (RFC 9110 §8.6): a mistake of the program, not of a client.
struct ContentLengthError: Error, CustomStringConvertible {
    /// What was missing; negative when there was too much.
    let missing: Int

    var description: String {
        missing > 0
            ? "\(missing) octets less than the announced length were written"
            : "\(missing.magnitude) octets more than the announced length were written"
    }
}
