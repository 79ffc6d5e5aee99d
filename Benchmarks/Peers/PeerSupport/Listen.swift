public import NIOCore
import NIOPosix

/// Listens with the same socket options for every NIO peer, and runs until the process is stopped.
///
/// Everything else is NIO's default.
public func listen(
    _ arguments: Arguments,
    setUp: @escaping @Sendable (any Channel, Topics) -> EventLoopFuture<Void>
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: arguments.threads)
    let topics = Topics(group: group)
    let server = try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 4096)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .childChannelInitializer { setUp($0, topics) }
        .bind(host: arguments.host, port: arguments.port).get()
    arguments.announce()
    try await server.closeFuture.get()
}
