import HTTPTypes
import NIOCore
import Synchronization

/// The way out: answers, streamed content, files, and the change of protocol.
extension HTTPConnection {
    /// Sends an answer that is there as a whole.
    ///
    /// - Returns: `false` when its content has still to be streamed.
    @inline(never)
    func send(_ response: Response, of request: Request) -> Bool {
        hasNotes = request.connection.hasNotes.load(ordering: .relaxed)
        if !hasNotes {
            return sendCompleted(response, of: request)
        }
        return sendCompleted(
            request.connection.complete(response, exchange: request.exchange), of: request)
    }

    private func sendCompleted(_ response: Response, of request: Request) -> Bool {
        loop.eventLoop.assertInEventLoop()
        guard request.exchange == exchange, case .exchange = phase else {
            // The client has gone meanwhile.
            request.connection.end(
                request.exchange, ExchangeEnd(status: response.status.code, bytes: 0, isComplete: false))
            return true
        }
        if response.status.code < 200 {
            sendInterimStatus(response, of: request)
            return true
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

    /// An answer of a status that ends no exchange: the change of protocol, where it may be, or a handler's mistake.
    private func sendInterimStatus(_ response: Response, of request: Request) {
        if let upgrade = response.upgrade, response.status == .switchingProtocols {
            if body.isDone, minorVersion > 0 { return perform(upgrade, response, request) }
            // Content would have to be read first, and HTTP/1.0 cannot upgrade (RFC 9110 §7.8).
            fail(HTTPFailure(.badRequest, "an upgrade is asked for in HTTP/1.1, without content"), request)
        } else {
            fail(InterimStatusError(status: response.status), request)
        }
    }

    /// Sends the response to an error, before anything of another has been sent.
    func fail(_ error: any Error, _ request: Request) {
        let response = server.response(to: error, of: request)
        writeWhole(request.connection.complete(response, exchange: request.exchange))
        finishAnswer()
    }

    /// Writes head and content of an answer that needs no waiting.
    func writeWhole(_ response: Response) {
        let hasContent =
            Self.allowsContent(response.status) && !isHeadRequest && response.status != .resetContent
        switch response.body.storage {
        case .string(let text) where hasContent:
            writeHead(response, content: text.utf8)
            sentBodyBytes = text.utf8.count
        case .bytes(let buffer) where hasContent:
            writeHead(response)
            write(buffer)
            sentBodyBytes = buffer.readableBytes
        case .empty, .string, .bytes, .stream, .parts:
            writeHead(response)
        }
    }

    private static func allowsContent(_ status: HTTPResponse.Status) -> Bool {
        status.code >= 200 && status.code != 204 && status.code != 304
    }

    /// Decides framing and persistence, and writes the head, with text behind it.
    func writeHead(_ response: Response, content: String.UTF8View = "".utf8) {
        isContinueOwed = isContinueOwed && !body.isDone
        if !mayFollowUnread(response) { keepsAlive = false }
        let framing = framing(of: response)
        if framing == .untilClose {
            keepsAlive = false
            isEndedByClose = true
        }
        var declaredLength: Int?
        if framing == .noContent, isHeadRequest || response.status == .notModified,
            response.status != .noContent
        {
            declaredLength = response.declaredLength ?? response.body.length
            if response.status == .notModified, declaredLength == 0 { declaredLength = nil }
        }
        let date = loop.dateLine
        let (minorVersion, wanted) = (minorVersion, keepsAlive)
        var goesOn = true
        withOut {
            goesOn = ResponseEncoder.writeHead(
                status: response.status, fields: response.fields, preparedFields: response.preparedFields,
                framing: framing, declaredLength: declaredLength, minorVersion: minorVersion,
                keepAlive: wanted, date: date, content: content, into: &$0)
        }
        if !goesOn { keepsAlive = false }
        sentStatus = response.status.code
        sentBodyBytes = 0
    }

    /// Whether another request may follow although not all content of this one has been read. A streamed answer may
    /// still read it, so that is decided at its end.
    private func mayFollowUnread(_ response: Response) -> Bool {
        if body.isDone { return true }
        if case .length = remainder, case .stream = response.body.storage { return true }
        return Persistence.canDiscard(remainder, limit: server.limits.maxDiscardedBody)
    }

    func framing(of response: Response) -> ResponseFraming {
        guard Self.allowsContent(response.status), !isHeadRequest else { return .noContent }
        // A 205 says that it has no content (RFC 9110 §15.3.6).
        if response.status == .resetContent { return .length(0) }
        if let length = response.body.length { return .length(length) }
        return minorVersion == 0 ? .untilClose : .chunked
    }

    func finishAnswer() {
        answer = .complete
        noteEnd(isComplete: true)
        if !body.isDone {
            if !Persistence.canDiscard(remainder, limit: server.limits.maxDiscardedBody) {
                keepsAlive = false
            }
            deadline = loop.now.advanced(byMilliseconds: server.bodyMilliseconds)
            bodyStream?.fail(.incompleteBody)
        }
    }

    /// Tells those who have asked for it that the exchange has ended. Behind its end, nobody is left to be told.
    @inline(__always)
    func noteEnd(isComplete: Bool) {
        guard hasNotes else { return }
        hasNotes = false
        info?.end(
            exchange, ExchangeEnd(status: sentStatus, bytes: sentBodyBytes, isComplete: isComplete))
    }

    /// Writes the 101, leaves the pipeline, and hands the channel over with what was read (RFC 9110 §7.8).
    private func perform(_ upgrade: Upgrade, _ response: Response, _ request: Request) {
        guard let context else { return }
        withOut { ResponseEncoder.writeInterim(status: response.status, fields: response.fields, into: &$0) }
        flush()
        answer = .complete
        sentStatus = response.status.code
        sentBodyBytes = 0
        noteEnd(isComplete: true)
        phase = .closed
        exchange &+= 1
        releaseExchange()
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

/// A handler has returned an interim status as its response: a mistake of the program.
struct InterimStatusError: Error, CustomStringConvertible {
    let status: HTTPResponse.Status

    var description: String { "the interim status \(status.code) cannot be a response" }
}
