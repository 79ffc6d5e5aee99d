import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Has one process at a time accept from a socket that several have, as when a server is replaced while it runs: the new
/// one begins in the moment in which the old one stops, and connections that come meanwhile wait in the kernel.
///
/// The processes take turns by a record lock (fcntl, F_SETLK) on the socket. The kernel releases it when its process
/// closes the socket or ends, however it ends. Two that accept at the same time would wake each other for nothing, and
/// NIO takes an accept without a connection for a mistake.
final class AcceptTurn: ChannelOutboundHandler, ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = Never

    /// How often it is asked for.
    static let interval = TimeAmount.milliseconds(10)

    private let descriptor: CInt
    private var isTaken = false
    private var isReadHeld = false
    private var isRemoved = false

    /// - Parameter descriptor: The socket, which the channel owns.
    init(descriptor: CInt) { self.descriptor = descriptor }

    func handlerAdded(context: ChannelHandlerContext) { ask(context) }
    func handlerRemoved(context: ChannelHandlerContext) { isRemoved = true }

    func read(context: ChannelHandlerContext) {
        if isTaken { context.read() } else { isReadHeld = true }
    }

    private func ask(_ context: ChannelHandlerContext) {
        isTaken = Self.take(descriptor)
        if isTaken {
            if isReadHeld { context.read() }
            return
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.interval) {
            // A listener that was closed meanwhile has no handlers.
            if !self.isRemoved { self.ask(context) }
        }
    }

    /// Takes the lock. Where there are no such locks, nobody waits.
    private static func take(_ descriptor: CInt) -> Bool {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        guard fcntl(descriptor, F_SETLK, &lock) != 0 else { return true }
        return errno != EAGAIN && errno != EACCES
    }
}
