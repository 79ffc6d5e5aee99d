import Logging
import NIOCore

/// Reads the PROXY header of a connection. Then it has the connection begin, passes on the rest of the bytes, and leaves.
///
/// It stands in front of TLS: the header is not encrypted.
///
/// Invariant: the state is touched on the channel's event loop only.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler, LoopMember,
    @unchecked Sendable
{
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let server: ServerContext
    private let loop: LoopContext
    private let isTrusted: Bool
    /// Adds the handlers of the connection.
    private let begin: (any Channel, ArrivedConnection) throws -> Void
    /// How the connection is counted: of the proxy until the header has come, of the client from then on.
    private(set) var admission: Admission
    /// By when the header and the first byte of a request must have come.
    private var deadline: LoopInstant
    private var inbound = ByteBuffer()
    private var context: ChannelHandlerContext?
    var memberIndex = -1

    init(
        server: ServerContext, loop: LoopContext, isTrusted: Bool,
        begin: @escaping (any Channel, ArrivedConnection) throws -> Void
    ) {
        self.server = server
        self.loop = loop
        self.isTrusted = isTrusted
        self.begin = begin
        admission = server.connectionOpened(from: nil)
        deadline = loop.clock.advanced(by: server.limits.headTimeout)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(self)
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        if !isTrusted {
            refuse("not from a trusted proxy")
        } else if let drainDeadline = loop.drainDeadline {
            // It was accepted just before the server stopped listening.
            drain(deadline: drainDeadline)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        loop.turn {
            // Behind a refusal, the channel is closing.
            guard context.channel.isActive else { return }
            var buffer = unwrapInboundIn(data)
            inbound.writeBuffer(&buffer)
            let length = inbound.readableBytes
            do throws(ProxyHeaderError) {
                guard
                    let header = try ProxyHeader.decode(
                        &inbound, limit: server.limits.maxProxyHeaderSize)
                else { return }
                loop.statistics.bytesIn &+= length - inbound.readableBytes
                finish(header, context)
            } catch {
                refuse(error.reason)
            }
        }
    }

    /// The header has come: from here on it is a connection like others, with the address that the header names.
    private func finish(_ header: ProxyHeader, _ context: ChannelHandlerContext) {
        let channel = context.channel
        var (address, kind) = (channel.remoteAddress, ClientKind.peer)
        switch header {
        case .local: kind = .proxy
        case .unknown: kind = .unknown
        case .client(let client):
            address = client
            admission = server.clientNamed(client, admission)
        }
        let connection = ArrivedConnection(
            loop: loop, refusal: admission.refusal, client: (address, kind), deadline: deadline)
        do {
            try begin(channel, connection)
        } catch {
            server.logger.debug("connection failed", metadata: ["error": .clean(error)])
            return context.close(promise: nil)
        }
        let rest = inbound
        inbound = ByteBuffer()
        if rest.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(rest))
        }
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The rest of the header will not come.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        server.logger.debug("connection failed", metadata: ["error": .clean(error)])
        context.close(promise: nil)
    }

    private func refuse(_ reason: String) {
        server.clientLog.log("connection refused", to: server.logger, on: loop) {
            ["reason": "\(reason)", "address": .clean(self.context?.remoteAddress?.ipAddress ?? "unknown")]
        }
        context?.close(promise: nil)
    }

    // MARK: Time

    func tick(now: LoopInstant) {
        if now >= deadline { context?.close(promise: nil) }
    }

    /// A request may be on its way.
    func drain(deadline drainDeadline: LoopInstant) {
        deadline = min(deadline, drainDeadline, server.endOfGracePeriod(on: loop))
    }
}
