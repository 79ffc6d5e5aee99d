import HTTPTypes
import NIOCore

/// The way in: what arrives of a request's content goes to its handler, or is dropped (RFC 9112 §6.3, §9.3).
extension HTTPConnection {
    /// Feeds what has arrived of the content. Answers whether the exchange may be over.
    func readBody() -> Bool {
        while !body.isDone {
            let isDropped = isAnswerComplete
            if !isDropped, let bodyStream, !bodyStream.takesMore(server.limits.bodyBufferSize) {
                return false
            }
            do throws(HTTPError) {
                switch try body.next(&inbound) {
                case .needMore:
                    if !isDropped { bodyStream?.announce(body.announced) }
                    guard isInputClosed else { return isDropped }
                    failBody(.incompleteBody)
                case .data(let data):
                    // Who sends content does not wait for a 100 (RFC 9110 §10.1.1).
                    isContinueOwed = false
                    if isDropped {
                        discard(data.readableBytes)
                    } else {
                        bodyStream?.announce(data.readableBytes + body.announced)
                        bodyStream?.push(data)
                        bodyPace.arrived(at: loop.now)
                        armBodyDeadline()
                    }
                case .end(let trailers):
                    body = .done
                    bodyStream?.end(trailers: trailers)
                }
            } catch {
                failBody(error)
                inbound = ByteBuffer()
            }
            if body.isDone { bodyStream?.end(trailers: nil) }
        }
        if !isAnswerComplete { deadline = .never }
        return true
    }

    var isAnswerComplete: Bool {
        if case .complete = answer { return true }
        return false
    }

    /// Whether nothing has been sent of the final answer, so that interim ones may be (RFC 9110 §15.2).
    var isAnswerUnsent: Bool {
        switch answer {
        case .pending, .prepared: true
        case .streaming, .complete: false
        }
    }

    private func discard(_ octets: Int) {
        discarded += octets
        if discarded > server.limits.maxDiscardedBody { keepsAlive = false }
    }

    /// The content cannot be read any further, so nothing behind it can: the handler learns why, and the
    /// connection closes behind the answer.
    func failBody(_ error: HTTPError) {
        keepsAlive = false
        bodyStream?.fail(error)
        body = .done
    }

    /// The handler waits for content: now the client is asked to send it (RFC 9110 §10.1.1).
    func bodyIsWanted() {
        if isContinueOwed {
            isContinueOwed = false
            if isAnswerUnsent {
                withOut { ResponseEncoder.writeInterim(status: .continue, fields: [:], into: &$0) }
            }
        }
        bodyPace.wanted(at: loop.now)
        armBodyDeadline()
        process()
    }

    /// The handler has given up to wait: what it does instead is no slowness of the client.
    func bodyIsNoLongerWanted() { bodyPace.stopWaiting(at: loop.now) }

    func bodyWasRead() {
        if !isProcessing { loop.turn { process() } }
    }

    private func armBodyDeadline() { deadline = loop.now.advanced(byMilliseconds: server.bodyMilliseconds) }

    /// What is still to come of the content.
    var remainder: BodyRemainder {
        switch body {
        case .done: .none
        case _ where isContinueOwed: .notInvited
        case .length(let remaining): .length(max(0, remaining - inbound.readableBytes))
        // The rest of a chunk is known when its size is.
        case .chunked where body.announced > server.limits.maxDiscardedBody:
            .length(max(0, body.announced - inbound.readableBytes))
        case .chunked: .unknown
        }
    }
}
