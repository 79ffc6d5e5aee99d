import HTTPTypes
import NIOCore

/// The content of the request that is read.
struct RequestContent {
    /// Which bytes of the connection are its.
    var decoder = BodyDecoder.done
    var pace = BodyPace()
    /// How much has been dropped behind the response.
    var discarded = 0
    /// The client waits for a 100 (RFC 9110 §10.1.1).
    var isContinueOwed = false

    var isDone: Bool { decoder.isDone }
}

/// The way in: what arrives of a request's content goes to its handler, or is dropped (RFC 9112 §6.3, §9.3).
extension HTTPConnection {
    /// Begins the content of a request whose head has been read.
    func beginContent(_ facts: FieldFacts) -> RequestBody.Storage {
        if case .none = facts.framing {
            if !content.isDone || content.isContinueOwed { content = RequestContent() }
            return .empty
        }
        content = RequestContent(
            decoder: BodyDecoder(facts.framing, limits: limits), isContinueOwed: facts.expectsContinue)
        var length: Int?
        if case .length(let declared) = facts.framing { length = declared }
        return .stream(BodyStream(declaredLength: length, loop: loop, carrier: self))
    }

    /// Feeds what has arrived of the content. Returns whether the exchange may be over.
    func readContent(of exchange: Exchange) -> Bool {
        if content.isDone { return true }
        let isDropped = exchange.isComplete
        let stream = exchange.bodyStream
        while !content.isDone {
            if !isDropped, let stream, !stream.takesMore(limits.bodyBufferSize) { return false }
            do throws(HTTPError) {
                switch try content.decoder.next(&input.buffer) {
                case .needMore:
                    if !isDropped { stream?.announce(content.decoder.announced) }
                    guard input.isClosed else { return isDropped }
                    failContent(.incompleteBody, stream)
                case .data(let data):
                    // Who sends content does not wait for a 100 (RFC 9110 §10.1.1).
                    content.isContinueOwed = false
                    if isDropped {
                        discard(data.readableBytes)
                    } else {
                        stream?.announce(data.readableBytes + content.decoder.announced)
                        stream?.push(data)
                        content.pace.arrived(at: loop.now)
                        armContentDeadline()
                    }
                case .end(let trailers):
                    content.decoder = .done
                    stream?.end(trailers: trailers)
                }
            } catch {
                failContent(error, stream)
                input.buffer = ByteBuffer()
            }
            if content.isDone { stream?.end(trailers: nil) }
        }
        if !isDropped { deadline = .never }
        return true
    }

    private func discard(_ bytes: Int) {
        content.discarded += bytes
        if content.discarded > limits.maxDiscardedBody { stopPersisting() }
    }

    /// The content cannot be read any further, so nothing behind it can: the handler learns why, and the
    /// connection closes behind the response.
    func failContent(_ error: HTTPError, _ stream: BodyStream?) {
        stopPersisting()
        stream?.fail(error)
        content.decoder = .done
    }

    /// The handler waits for content: now the client is asked to send it (RFC 9110 §10.1.1).
    func contentIsWanted() {
        if content.isContinueOwed {
            content.isContinueOwed = false
            if case .exchange(let exchange) = phase, exchange.isUnsent {
                transport.append { ResponseEncoder.writeInterim(status: .continue, fields: [:], into: &$0) }
            }
        }
        content.pace.wanted(at: loop.now)
        armContentDeadline()
        process()
    }

    /// The handler has given up to wait: what it does instead is no slowness of the client.
    func contentIsNotWanted() { content.pace.stopWaiting(at: loop.now) }

    func contentWasRead() { loop.turn { process() } }

    private func armContentDeadline() {
        deadline = loop.now.advanced(byMilliseconds: server.bodyMilliseconds)
    }

    /// What is still to come of the content.
    var remainder: BodyRemainder {
        switch content.decoder {
        case .done: .none
        case _ where content.isContinueOwed: .notInvited
        case .length(let remaining): .length(max(0, remaining - input.buffer.readableBytes))
        // The rest of a chunk is known when its size is.
        case .chunked where content.decoder.announced > limits.maxDiscardedBody:
            .length(max(0, content.decoder.announced - input.buffer.readableBytes))
        case .chunked: .unknown
        }
    }
}
