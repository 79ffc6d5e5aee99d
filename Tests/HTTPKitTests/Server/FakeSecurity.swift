import HTTPTypes
import NIOCore

@testable import HTTPKit

/// A security that does not encrypt. Its handshake is a line of the client: `secure NAME` with the protocol that it wants,
/// or `plain`; a line that is neither fails it.
struct FakeSecurity: ConnectionSecurity {
    /// Whether there is no handshake: the connection begins at once.
    var isImmediate = false
    var plainHandler: Handler = { request in
        HTTPKit.Response.text("speak up, not \(request.scheme)", status: .badRequest)
    }

    func secure(
        _ channel: any Channel, applicationProtocols: [String], begin: @escaping (HandshakeResult) -> Void
    ) throws {
        if isImmediate { return begin(.secure(SecureSession())) }
        try channel.pipeline.syncOperations.addHandler(
            HandshakeLineHandler(applicationProtocols: applicationProtocols, begin: begin))
    }
}

/// Reads the line. It stays in the pipeline, and notes when the connection is ended without a goodbye.
final class HandshakeLineHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData

    private let applicationProtocols: [String]
    private var begin: ((HandshakeResult) -> Void)?
    private var inbound = ByteBuffer()
    private(set) var isAborted = false

    init(applicationProtocols: [String], begin: @escaping (HandshakeResult) -> Void) {
        self.applicationProtocols = applicationProtocols
        self.begin = begin
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let begin else { return context.fireChannelRead(data) }
        var buffer = unwrapInboundIn(data)
        inbound.writeBuffer(&buffer)
        guard let end = inbound.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return }
        let line = inbound.readString(length: end - inbound.readerIndex) ?? ""
        inbound.moveReaderIndex(forwardBy: 1)
        self.begin = nil
        let words = line.split(separator: " ")
        switch words.first {
        case "secure":
            let wanted = words.dropFirst().first.map(String.init)
            let chosen = applicationProtocols.first { $0 == wanted }
            begin(.secure(SecureSession(applicationProtocol: chosen, peer: "a peer")))
        case "plain": begin(.plain)
        default: return context.close(promise: nil)
        }
        if inbound.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(inbound)) }
        context.fireChannelReadComplete()
    }

    func triggerUserOutboundEvent(
        context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
    ) {
        guard event is ConnectionAbort else {
            return context.triggerUserOutboundEvent(event, promise: promise)
        }
        isAborted = true
        promise?.succeed(())
        context.close(promise: nil)
    }
}
