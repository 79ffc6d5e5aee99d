import HTTPTypes
import Logging
import NIOCore

/// The end of an exchange, and of the connection (RFC 9112 §9.3, §9.6).
extension HTTPConnection {
    /// Goes on to the next request, or closes. Returns whether there is more to do.
    func end(_ exchange: Exchange) -> Bool {
        guard exchange.isComplete else { return false }
        guard persistence == .goesOn else {
            closeGracefully()
            return false
        }
        guard content.isDone else { return false }
        exchange.end()
        phase = .head(hasBegun: false)
        deadline = loop.now.advanced(byMilliseconds: server.idleMilliseconds)
        return true
    }

    /// Tells a client why it is not served, and closes.
    func turnAway(_ refusal: Admission.Refusal) {
        persistence = .closes
        writeWhole(server.policy.response(to: refusal.error, of: nil), to: nil)
        closeGracefully()
    }

    /// Responds to what cannot be read as a request and closes; nothing behind it is read (RFC 9112 §11.2).
    func refuse(_ error: HTTPError) {
        server.clientLog.log("request refused", to: server.logger, on: loop) {
            ["reason": .clean(error.message), "status": "\(error.status.code)"]
        }
        server.onRefused?(error)
        persistence = .closes
        writeWhole(server.policy.response(to: error, of: nil), to: nil)
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
        case .exchange(let exchange): exchange.end()
        case .refused, .head: break
        }
        input.buffer = ByteBuffer()
        content.decoder = .done
        phase = .closing
        // The channel would drop what is not sent yet when both sides are closed, so all must be sent first.
        transport.whenSent { self.allIsSent() }
        resumeReading()
    }

    private func allIsSent() {
        guard case .closing = phase else { return }
        guard !input.isClosed else { return transport.close() }
        phase = .lingering(end: loop.now.advanced(by: limits.maxLingerTime))
        deadline = loop.now.advanced(by: limits.lingerTimeout)
        transport.closeOutput()
    }

    func closeNow() {
        if transport.hasUnflushed { transport.flush() }
        breakOff()
    }

    /// Closes although a response may not be whole. Where the end of the connection is the end of the content, an
    /// ordinary end would have a part pass for the whole (RFC 9112 §8): then it ends with a reset.
    func breakOff() {
        var isWhole = persistence != .endsContent
        if case .lingering = phase { isWhole = true }
        if isWhole { transport.close() } else { transport.reset() }
    }
}
