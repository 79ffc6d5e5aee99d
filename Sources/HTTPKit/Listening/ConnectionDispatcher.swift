import DequeModule
import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Hands the connections that a listener accepts to event loops: each to the loop with the fewest connections. A loop
/// that is blocked gets none, and a connection that was offered to a loop which then does not come to it is offered to
/// another one.
///
/// The listener has an event loop of its own, so that no handler blocks it. The transport binds an accepted channel to a
/// loop before anybody can choose, so its descriptor is duplicated, and the loop that takes it makes a channel of it.
///
/// Invariant: the state is touched on the loop of the listener only.
final class ConnectionDispatcher: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias OutboundIn = Never

    /// How long a loop may take to come to a connection before it counts as blocked, in milliseconds. A turn of a loop
    /// lasts about 8 ms at most, unless a handler blocks.
    static let patience: Int64 = 20
    /// How often connections that wait for a loop are looked at.
    static let interval = TimeAmount.milliseconds(10)
    /// How many connections may wait for a loop. With more, the rest stays in the backlog of the kernel.
    static let maxWaiting = 256

    /// A loop that connections are offered to.
    private final class Target: Sendable {
        let loop: LoopContext
        /// How many offers the loop has come to.
        let answered = Atomic<Int>(0)

        init(_ loop: LoopContext) { self.loop = loop }
    }

    /// A connection that no loop is known to have taken.
    private struct Waiting {
        let connection: AcceptedConnection
        var offered: [Int]
        var lastOffer: LoopInstant
    }

    private let targets: [Target]
    private var offers: [LoopOffers]
    private var waiting = Deque<Waiting>()
    private var isLookScheduled = false
    private var isReadHeld = false
    /// Makes a channel of a descriptor, on the loop that has taken it.
    private let serve: @Sendable (CInt, LoopContext) -> Void

    init(loops: [LoopContext], serve: @escaping @Sendable (CInt, LoopContext) -> Void) {
        targets = loops.map(Target.init)
        offers = loops.map { _ in LoopOffers() }
        self.serve = serve
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let accepted = unwrapInboundIn(data)
        do {
            let connection = AcceptedConnection(descriptor: try Self.duplicate(accepted))
            offer(Waiting(connection: connection, offered: [], lastOffer: .now), at: .now)
        } catch {
            // The first handler pauses the listener when descriptors run out.
            context.pipeline.fireErrorCaught(error)
        }
        accepted.close(promise: nil)
        scheduleLook(context)
    }

    /// No more is accepted while too many connections wait for a loop.
    func read(context: ChannelHandlerContext) {
        dropTaken()
        if waiting.count < Self.maxWaiting { context.read() } else { isReadHeld = true }
    }

    private static func duplicate(_ channel: any Channel) throws -> CInt {
        let made = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable { (descriptor: CInt) in
            fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        }
        guard let made else { throw ChannelError.operationUnsupported }
        guard made >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
        return made
    }

    /// Offers a connection to one more loop, if there is one that it was not offered to.
    private func offer(_ waiting: Waiting, at now: LoopInstant) {
        var waiting = waiting
        let candidates = targets.indices.map { index -> (connections: Int, isLate: Bool)? in
            guard !waiting.offered.contains(index) else { return nil }
            let target = targets[index]
            offers[index].answer(total: target.answered.load(ordering: .relaxed))
            let open = target.loop.openConnections.load(ordering: .relaxed)
            return (open + offers[index].count, offers[index].isLate(at: now, after: Self.patience))
        }
        if let index = LoopOffers.choose(candidates) {
            waiting.offered.append(index)
            waiting.lastOffer = now
            offers[index].add(at: now)
            let (target, connection, serve) = (targets[index], waiting.connection, serve)
            target.loop.eventLoop.execute {
                target.answered.wrappingAdd(1, ordering: .relaxed)
                if let descriptor = connection.take() { serve(descriptor, target.loop) }
            }
        }
        self.waiting.append(waiting)
    }

    private func dropTaken() {
        while let first = waiting.first, first.connection.isTaken { waiting.removeFirst() }
    }

    private func scheduleLook(_ context: ChannelHandlerContext) {
        guard !isLookScheduled else { return }
        isLookScheduled = true
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.interval) {
            self.isLookScheduled = false
            self.look(context, at: .now)
        }
    }

    /// Offers the connections again that no loop has come to.
    private func look(_ context: ChannelHandlerContext, at now: LoopInstant) {
        for _ in 0..<waiting.count {
            guard let one = waiting.popFirst(), !one.connection.isTaken else { continue }
            let isDue = now.milliseconds - one.lastOffer.milliseconds >= Self.patience
            if isDue, one.offered.count < targets.count { offer(one, at: now) } else { waiting.append(one) }
        }
        if !waiting.isEmpty { scheduleLook(context) }
        if isReadHeld, waiting.count < Self.maxWaiting {
            isReadHeld = false
            context.read()
        }
    }
}
