import Logging
import NIOCore

/// A connection whose handshake is not complete. It is closed when its time is over, or when the server shuts down.
///
/// Invariant: the state is touched on the channel's event loop only.
final class Handshake: LoopMember {
    private let channel: any Channel
    private let server: ServerContext
    private let loop: LoopContext
    private var deadline: LoopInstant
    private var isComplete = false
    var memberIndex = -1

    /// Begins a handshake. The server must have counted it in (`ServerContext.handshakeBegins`).
    init(on channel: any Channel, of server: ServerContext, loop: LoopContext) {
        self.channel = channel
        self.server = server
        self.loop = loop
        deadline = loop.clock.advanced(by: server.limits.handshakeTimeout)
        loop.add(self)
        // It may have been accepted just before the server stopped listening.
        if let drainDeadline = loop.drainDeadline { drain(deadline: drainDeadline) }
        channel.closeFuture.assumeIsolated().whenComplete { _ in _ = self.complete() }
    }

    /// The handshake is over, well or not. Returns whether it was not before.
    func complete() -> Bool {
        guard !isComplete else { return false }
        isComplete = true
        loop.remove(self)
        server.handshakeEnded()
        return true
    }

    func tick(now: LoopInstant) {
        guard now >= deadline else { return }
        server.logger.debug("a handshake was not complete in time")
        channel.abort()
    }

    /// A request may be on its way.
    func drain(deadline drainDeadline: LoopInstant) {
        deadline = min(deadline, drainDeadline, server.endOfGracePeriod(on: loop))
    }
}

/// Closes a connection for which the server has no room, as soon as its channel is active.
final class ConnectionRefusal: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { context.close(promise: nil) }
    }

    func channelActive(context: ChannelHandlerContext) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
