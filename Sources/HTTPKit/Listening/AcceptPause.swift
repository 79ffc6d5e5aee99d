import NIOCore

/// Stops accepting for a while when the system refuses a connection, as it does when descriptors run out.
///
/// The listener leaves the selector meanwhile. It stays readable, so that it would be asked again at once and for
/// ever: a full processor, and one loop without time for the connections that are open.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    /// How long the listener rests: soon enough for who waits in its backlog, and ten attempts a second cost nothing.
    static let duration = TimeAmount.milliseconds(100)

    private var isResting = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is IOError { rest(context) }
        context.fireErrorCaught(error)
    }

    private func rest(_ context: ChannelHandlerContext) {
        guard !isResting, let options = context.channel.syncOptions else { return }
        isResting = true
        // A listener that was closed meanwhile has no options to set.
        try? options.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.duration) {
            self.isResting = false
            try? options.setOption(.autoRead, value: true)
        }
    }
}
