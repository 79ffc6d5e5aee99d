import HTTPKit
import NIOCore
import NIOSSL
import NIOTLS

/// Stands between TLS and HTTP, on both ends. It tells when the handshake is complete, and keeps from HTTP what is TLS's
/// own: a peer that ends without close_notify has ended its input all the same, since HTTP knows where a message ends.
final class HandshakeHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = ByteBuffer

    private let tls: NIOSSLHandler
    private var complete: ((Result<String?, any Error>) -> Void)?

    /// - Parameter complete: Is called once, with the protocol that was chosen (ALPN), or with the reason of the failure. TLS
    ///   closes the channel after a failure.
    init(tls: NIOSSLHandler, complete: @escaping (Result<String?, any Error>) -> Void) {
        self.tls = tls
        self.complete = complete
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSUserEvent {
        case .handshakeCompleted(let name)?: end(.success(name))
        case .shutdownCompleted?: break
        case nil: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if complete != nil { return end(.failure(error)) }
        if let error = error as? NIOSSLError, error == .uncleanShutdown { return }
        context.fireErrorCaught(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.failure(ChannelError.eof))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { complete = nil }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard case .all = mode else { return context.close(mode: mode, promise: promise) }
        // HTTP closes when its last write is done, and then the channel is in the middle of its writes: it would drop the
        // close_notify that TLS writes now.
        context.eventLoop.assumeIsolated().execute { context.close(mode: mode, promise: promise) }
    }

    private func end(_ result: Result<String?, any Error>) {
        guard let complete else { return }
        self.complete = nil
        complete(result)
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        guard event is ConnectionAbort else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        promise?.succeed(())
        // Behind the back of TLS, so that it does not say close_notify: a response that is cut off would look whole.
        if let behind = try? context.pipeline.syncOperations.context(handler: tls) {
            behind.close(promise: nil)
        }
    }
}
