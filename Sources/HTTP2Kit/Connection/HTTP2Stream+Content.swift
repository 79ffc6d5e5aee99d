import HTTPKit
import HTTPTypes
import NIOCore

/// What is known of the content of a request on its way in.
struct StreamContent {
    var pace = BodyPace()
    var deadline = LoopInstant.never
    /// The client waits for a 100 (RFC 9110 §10.1.1).
    var isContinueOwed = false
    /// Until when content is dropped whose response is complete.
    var dropUntil: LoopInstant?
    /// How many bytes wait for the handler, as the connection has counted them.
    private(set) var held = 0

    /// Counts what waits now.
    mutating func hold(_ bytes: Int, in stream: HTTP2Stream) {
        stream.connection.input.held += bytes - held
        held = bytes
    }

    /// What has come behind an extended CONNECT that is still to be accepted.
    private(set) var early = ByteBuffer()

    mutating func keep(_ data: ByteBuffer) { early.writeImmutableBuffer(data) }

    mutating func takeEarly() -> ByteBuffer {
        defer { early = ByteBuffer() }
        return early
    }

    /// Nothing waits any more.
    mutating func release(_ stream: HTTP2Stream) { hold(0, in: stream) }
}

/// The way in: what arrives of a request's content goes to its handler.
extension HTTP2Stream {
    /// Takes the content of a DATA frame.
    ///
    /// - Parameter flowControlled: what it counts in the window, padding included.
    func receive(
        _ data: ByteBuffer, flowControlled: Int, endsStream: Bool
    ) throws(HTTP2Error) {
        guard case .open(let remaining) = incoming else {
            throw .stream(id, .streamClosed, "DATA behind the end of the stream")
        }
        guard receiveWindow.take(flowControlled) else {
            throw .stream(id, .flowControlError, "DATA beyond the window of the stream")
        }
        content.isContinueOwed = false
        if let remaining {
            guard data.readableBytes <= remaining, !endsStream || data.readableBytes == remaining else {
                throw .stream(id, .protocolError, "the content is not as long as content-length says")
            }
            incoming = .open(remaining: remaining - data.readableBytes)
        }
        if endsStream { incoming = .ended }
        if let tunnel {
            tunnel.receive(data)
        } else if let body = exchange?.bodyStream {
            body.push(data)
            content.hold(body.bufferedBytes, in: self)
            content.pace.arrived(at: loop.now)
            armContentDeadline()
        } else if exchange != nil {
            content.keep(data)
        } else {
            content.deadline = loop.now.advanced(by: connection.server.limits.lingerTimeout)
        }
        if endsStream {
            contentEnded(trailers: nil)
        } else {
            credit()
        }
    }

    /// Takes a trailer section (RFC 9113 §8.1).
    func receiveTrailers(_ section: FieldSection, endsStream: Bool) throws(HTTP2Error) {
        guard case .open(let remaining) = incoming else {
            throw .connection(.streamClosed, "HEADERS behind the end of the stream")
        }
        guard endsStream, tunnel == nil else {
            throw .stream(id, .protocolError, "a second head, or trailers without the end of the stream")
        }
        guard remaining ?? 0 == 0 else {
            throw .stream(id, .protocolError, "the content is not as long as content-length says")
        }
        do throws(RequestFault) {
            let trailers = try TrailerSection.read(section)
            incoming = .ended
            contentEnded(trailers: trailers)
        } catch {
            throw .stream(id, .protocolError, "the trailer section is malformed")
        }
    }

    private func contentEnded(trailers: HTTPFields?) {
        content.deadline = .never
        exchange?.bodyStream?.end(trailers: trailers)
        tunnel?.inputEnded()
        leaveIfDone()
    }

    /// Lets the client send more on this stream.
    func credit() {
        guard case .open = incoming else { return }
        let held = tunnel?.heldBytes ?? (content.held + content.early.readableBytes)
        guard let more = receiveWindow.credit(held: held) else { return }
        connection.transport.append { FrameWriter.writeWindowUpdate(stream: id, more, into: &$0) }
    }

    func armContentDeadline() {
        content.deadline = loop.now.advanced(byMilliseconds: connection.server.bodyMilliseconds)
    }

    /// A handler that waits for content waits no longer than the limits say.
    func checkContent(of exchange: Exchange, now: LoopInstant) {
        guard case .open = incoming, let body = exchange.bodyStream, body.isAwaited else { return }
        let isLate = now >= content.deadline
        if isLate
            || content.pace.isSlow(received: body.received, now: now, limits: connection.server.limits)
        {
            body.fail(.timeout("the request content"))
        }
    }
}

extension HTTP2Stream {
    func contentIsWanted() {
        if content.isContinueOwed, exchange?.isUnsent == true {
            content.isContinueOwed = false
            connection.writeHead(
                on: id, status: .continue, fields: [:], contentLength: nil, date: nil, endsStream: false)
        }
        content.pace.wanted(at: loop.now)
        armContentDeadline()
    }

    /// The handler has given up to wait: what it does instead is no slowness of the client.
    func contentIsNotWanted() { content.pace.stopWaiting(at: loop.now) }

    func contentWasRead() {
        guard let body = exchange?.bodyStream else { return }
        loop.turn {
            content.hold(body.bufferedBytes, in: self)
            credit()
            connection.creditConnection()
        }
    }
}
