import HTTPKit
import Logging
import NIOCore
import NIOSSL

/// Finds out by the first byte whether a client speaks TLS. It then makes way for TLS, or for the response that says so.
final class FirstByteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    /// The type of a record of the handshake, with which TLS begins (RFC 8446 §5.1). No HTTP method begins with it.
    static let handshakeRecord: UInt8 = 22

    private let certificates: ServerCertificates
    private let applicationProtocols: [String]
    private let begin: (HandshakeResult) -> Void

    init(
        certificates: ServerCertificates, applicationProtocols: [String],
        begin: @escaping (HandshakeResult) -> Void
    ) {
        self.certificates = certificates
        self.applicationProtocols = applicationProtocols
        self.begin = begin
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard let first = buffer.readableBytesView.first else { return }
        do {
            if first == Self.handshakeRecord { try addTLS(context) } else { begin(.plain) }
        } catch {
            context.fireErrorCaught(error)
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    /// Adds the handlers behind this one, in this order.
    private func addTLS(_ context: ChannelHandlerContext) throws {
        var configuration = NIOSSLHandler.Configuration()
        configuration.maximumPreservedOutboundBufferCapacity = 64 << 10
        let tls = NIOSSLServerHandler(
            context: try certificates.context(offering: applicationProtocols), configuration: configuration)
        let pipeline = context.pipeline.syncOperations
        try pipeline.addHandler(tls, position: .after(self))
        let (begin, logger, address) = (begin, certificates.logger, context.remoteAddress)
        let handshake = HandshakeHandler(tls: tls) { result in
            switch result {
            case .success(let name):
                let peer = tls.peerCertificate.map(ClientCertificate.init)
                begin(.secure(SecureSession(applicationProtocol: name, peer: peer)))
            case .failure(let error):
                logger.debug(
                    "a TLS handshake failed",
                    metadata: ["error": .clean(error), "peer": .clean("\(address?.description ?? "-")")])
            }
        }
        try pipeline.addHandler(handshake, position: .after(tls))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Nothing will come.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
