import HTTPTypes
import Logging
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The end of an exchange, and of the connection (RFC 9112 §9.3, §9.6).
extension HTTPConnection {
    /// Goes on to the next request, or closes. Answers whether there is more to do.
    func endExchange() -> Bool {
        guard isAnswerComplete else { return false }
        guard keepsAlive else {
            closeGracefully()
            return false
        }
        guard body.isDone else { return false }
        releaseExchange()
        phase = .head
        deadline = loop.now.advanced(byMilliseconds: server.idleMilliseconds)
        return true
    }

    /// Ends what belongs to one exchange: nobody is left waiting for content, whatever becomes of the connection.
    func releaseExchange() {
        if let bodyStream {
            bodyStream.fail(.incompleteBody)
            bodyStream.connection = nil
            self.bodyStream = nil
        }
        if rare != nil { rare = nil }
    }

    /// Answers what cannot be read as a request and closes; nothing behind it is read (RFC 9112 §11.2).
    func refuse(_ error: HTTPError) {
        server.clientLog.log("request refused", to: server.logger, on: loop) {
            ["reason": .clean(error.message), "status": "\(error.status.code)"]
        }
        server.onRefused?(error)
        keepsAlive = false
        minorVersion = 1
        isHeadRequest = decoder.isHeadRequest
        exchange &+= 1
        writeWhole(server.response(to: error, of: nil))
        closeGracefully()
    }

    /// Sends what is left, closes the server's side, and drops what still arrives until the client closes its own side
    /// (RFC 9112 §9.6).
    ///
    /// A connection that is closed while the client still sends is reset, and the reset destroys the response on its way.
    /// So reading goes on, however much comes, until `lingerTimeout` has passed without a byte, or `maxLingerTime`
    /// altogether. Many clients send their whole body before they read the response: to stop reading would lose it too.
    func closeGracefully() {
        switch phase {
        case .closing, .lingering, .closed: return
        case .head, .exchange: break
        }
        guard let context else { return }
        handOver()
        releaseExchange()
        inbound = ByteBuffer()
        body = .done
        phase = .closing
        // The transport would drop what is not sent yet when both sides are closed, so all must be sent first.
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in self.loop.turn { self.allIsSent() } }
        isFlushRequested = false
        needsFlush = false
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: sent)
        resumeReading()
    }

    private func allIsSent() {
        guard case .closing = phase, let context else { return }
        guard !isInputClosed else { return context.close(promise: nil) }
        phase = .lingering(end: loop.now.advanced(by: limits.maxLingerTime))
        deadline = loop.now.advanced(by: limits.lingerTimeout)
        context.close(mode: .output, promise: nil)
    }

    func closeNow() {
        if out != nil || needsFlush { flush() }
        breakOff()
    }

    /// Closes although an answer may not be whole. Where the end of the connection is the end of the content, an
    /// ordinary end would have a part pass for the whole (RFC 9112 §8): then it ends with a reset.
    func breakOff() {
        var isWhole = !isEndedByClose
        if case .lingering = phase { isWhole = true }
        if !isWhole, let socket = context?.channel as? any SocketOptionProvider {
            // On the loop it is done at once.
            _ = socket.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        context?.close(promise: nil)
    }
}
