import HTTPKit
import NIOCore
import Synchronization

/// A set of sockets, kept per event loop: a broadcast hops once per loop, not once per socket.
final class SocketSet: Sendable {
    /// The members on one loop.
    ///
    /// Invariant: touched on that loop only.
    final class Shard: @unchecked Sendable {
        let loop: LoopContext
        var members: [Member] = []
        var places: [ObjectIdentifier: Int] = [:]
        /// What other threads had for the members while too much was on its way to this loop.
        private let missed = Mutex<Missed?>(nil)

        init(loop: LoopContext) { self.loop = loop }

        func add(_ member: Member) -> Bool {
            loop.eventLoop.assertInEventLoop()
            let key = ObjectIdentifier(member.connection)
            if let place = places[key] {
                members[place].joins += 1
                return false
            }
            places[key] = members.count
            members.append(member)
            return true
        }

        /// Takes back one `add`, or `all` of them. Returns the member when it is out now.
        func remove(_ connection: WebSocketConnection, all: Bool) -> Member? {
            loop.eventLoop.assertInEventLoop()
            if !all, let place = places[ObjectIdentifier(connection)], members[place].joins > 1 {
                members[place].joins -= 1
                return nil
            }
            guard let place = places.removeValue(forKey: ObjectIdentifier(connection)) else { return nil }
            let removed = members[place]
            let last = members.removeLast()
            if place < members.count {
                members[place] = last
                places[ObjectIdentifier(last.connection)] = place
            }
            return removed
        }

        /// From another thread. A loop that falls behind gets no more than it can keep: its members miss messages as
        /// slow clients do.
        func enqueue(_ message: PreparedMessage, except excluded: WebSocketConnection?) {
            let isMissed = missed.withLock { missed in
                if missed == nil, loop.queuedOctets.load(ordering: .relaxed) < SocketSet.maxQueuedOctets {
                    return false
                }
                // Until the loop has seen that, later ones are missed too: else they would come before this one.
                if missed == nil { loop.eventLoop.execute { self.deliverMissed() } }
                missed = Missed(message, except: excluded, after: missed)
                return true
            }
            guard !isMissed else { return }
            let octets = message.message.count + SocketSet.messageOverhead
            loop.queuedOctets.wrappingAdd(octets, ordering: .relaxed)
            loop.eventLoop.execute {
                self.loop.queuedOctets.wrappingSubtract(octets, ordering: .relaxed)
                self.deliver(message, except: excluded)
            }
        }

        private func deliverMissed() {
            guard let missed = missed.withLock({ $0.take() }) else { return }
            loop.turn {
                var frames = PreparedFrames(missed.latest)
                for member in members where member.connection !== missed.spared {
                    member.connection.miss(missed.count, policy: member.policy)
                    guard case .latestOnly = member.policy, member.connection !== missed.excluded else {
                        continue
                    }
                    member.connection.deliver(&frames, policy: member.policy, room: ObjectIdentifier(self))
                }
            }
        }

        func deliver(_ message: PreparedMessage, except excluded: WebSocketConnection?) {
            loop.turn {
                var frames = PreparedFrames(message)
                for member in members where member.connection !== excluded {
                    member.connection.deliver(&frames, policy: member.policy, room: ObjectIdentifier(self))
                }
            }
        }
    }

    /// How much may be on its way to one loop, about, before its sockets miss messages.
    static let maxQueuedOctets = 32 << 20
    /// What a message takes on its way beside its octets, about.
    static let messageOverhead = 512

    /// Messages that did not get on their way to a loop.
    private struct Missed {
        let count: Int
        let latest: PreparedMessage
        let excluded: WebSocketConnection?
        /// Who was to have none of them.
        let spared: WebSocketConnection?

        init(
            _ message: PreparedMessage, except excluded: WebSocketConnection?, after earlier: Missed?
        ) {
            count = (earlier?.count ?? 0) + 1
            latest = message
            self.excluded = excluded
            spared = earlier.map { $0.spared === excluded ? excluded : nil } ?? excluded
        }
    }

    struct Member {
        let connection: WebSocketConnection
        let socket: WebSocket
        let policy: SlowClientPolicy
        /// How often it was added: a room may be joined within a room of the same name.
        var joins = 1
    }

    private let shards = Mutex<[ObjectIdentifier: Shard]>([:])
    private let members = Atomic<Int>(0)

    /// How many sockets are in the set.
    var count: Int { members.load(ordering: .relaxed) }

    func shard(of loop: LoopContext) -> Shard {
        shards.withLock { shards in
            if let shard = shards[ObjectIdentifier(loop)] { return shard }
            let shard = Shard(loop: loop)
            shards[ObjectIdentifier(loop)] = shard
            return shard
        }
    }

    /// Adds a socket, on its loop; a closed one is not added.
    func add(_ socket: WebSocket, policy: SlowClientPolicy) {
        let shard = shard(of: socket.connection.loop)
        socket.connection.onLoop { connection in
            guard !connection.isClosed else { return }
            if shard.add(Member(connection: connection, socket: socket, policy: policy)) {
                self.members.wrappingAdd(1, ordering: .relaxed)
                connection.memberships.append(self)
                if case .latestOnly = policy { connection.limitUnsent(true) }
            }
        }
    }

    /// Takes a socket out.
    ///
    /// - Parameter all: however often it was added; otherwise one `add` is taken back.
    func remove(_ socket: WebSocket, all: Bool) {
        socket.connection.onLoop { connection in
            guard self.removeOnLoop(connection, all: all) else { return }
            connection.memberships.removeAll { $0 === self }
        }
    }

    /// Takes a connection out, as one that is ending. Answers whether it is out now.
    @discardableResult
    func removeOnLoop(_ connection: WebSocketConnection, all: Bool = true) -> Bool {
        guard let member = shard(of: connection.loop).remove(connection, all: all) else { return false }
        members.wrappingSubtract(1, ordering: .relaxed)
        if case .latestOnly = member.policy { connection.limitUnsent(false) }
        return true
    }

    /// Sends a message to every member: on this loop at once, on the others with one hop each.
    func broadcast(_ message: PreparedMessage, except excluded: WebSocket?) {
        let excluded = excluded?.connection
        for shard in shards.withLock({ Array($0.values) }) {
            if shard.loop.eventLoop.inEventLoop {
                shard.deliver(message, except: excluded)
            } else {
                shard.enqueue(message, except: excluded)
            }
        }
    }

    /// The sockets as they are now, gathered loop by loop.
    func all() async -> [WebSocket] {
        var all: [WebSocket] = []
        for shard in shards.withLock({ Array($0.values) }) {
            let part = try? await shard.loop.eventLoop.submit { shard.members.map(\.socket) }.get()
            all += part ?? []
        }
        return all
    }
}

extension SocketSet: Membership {
    func connectionEnded(_ connection: WebSocketConnection) { removeOnLoop(connection) }
}
