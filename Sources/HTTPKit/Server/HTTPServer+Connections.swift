import Logging
package import NIOCore
import NIOPosix

/// What becomes of the connections that the listeners accept.
extension HTTPServer {
    /// Makes the bootstrap of a listener on `acceptor`, which hands its connections to the server's loops.
    func bootstrap(for listener: HTTPListener, on acceptor: any EventLoop) -> ServerBootstrap {
        ServerBootstrap(group: acceptor)
            .serverChannelOption(.backlog, value: configuration.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if case .inherited(let descriptor) = listener.address {
                        try pipeline.addHandler(AcceptTurn(descriptor: descriptor))
                    }
                    try pipeline.addHandler(AcceptPause())
                    try pipeline.addHandler(
                        ConnectionDispatcher(loops: Array(self.loops.values)) {
                            self.serve(socket: $0, on: $1, of: listener)
                        })
                }
            }
    }

    /// Serves a connection of `listener`, on its event loop.
    private func serve(socket: CInt, on loop: LoopContext, of listener: HTTPListener) {
        connectionBootstrap(on: loop.eventLoop) { try self.accept($0, listener) }
            .withConnectedSocket(socket)
            .whenFailure { [logger = context.logger] error in
                logger.debug("connection failed", metadata: ["error": .clean(error)])
            }
    }

    private func connectionBootstrap(
        on group: any EventLoopGroup, _ begin: @escaping @Sendable (any Channel) throws -> Void
    ) -> ClientBootstrap {
        ClientBootstrap(group: group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelOption(.recvAllocator, value: Self.readBuffers)
            .channelOption(.writeBufferWaterMark, value: waterMark)
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try begin(channel) } }
    }

    /// Each channel keeps one read buffer: 1 KiB takes most requests and frames, and grows where more comes.
    private static let readBuffers = AdaptiveRecvByteBufferAllocator(
        minimum: 64, initial: 1024, maximum: 65536)

    private var waterMark: ChannelOptions.Types.WriteBufferWaterMark {
        let high = max(2, context.limits.writeBufferSize)
        return .init(low: high / 2, high: high)
    }

    /// Serves a connected socket, such as one end of a pair: no port is needed.
    package func adopt(socket: NIOBSDSocket.Handle) -> EventLoopFuture<Void> {
        connectionBootstrap(on: group) { try self.serve($0, usesTLS: self.security != nil) }
            .withConnectedSocket(socket).map { _ in }
    }

    func loop(of channel: any Channel) throws -> LoopContext {
        guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
            throw ChannelError.inappropriateOperationForState
        }
        return loop
    }
}
