import HTTPKit
import NIOCore
import Synchronization

/// A set of sockets, stored per event loop, so that a broadcast hops once per loop and not once per socket.
final class SocketSet: Sendable {
    /// The members on one loop.
    ///
    /// Invariant: all state except `missed` is accessed on that loop only.
    final class Shard: @unchecked Sendable {
        let loop: LoopContext
        /// What the sockets of the loop share.
        private let sockets: SocketLoop
        var members: [Member] = []
        var indices: [ObjectIdentifier: Int] = [:]
        /// The messages from other threads that were not queued because too many bytes were on their way to this loop.
        private let missed = Mutex<Missed?>(nil)

        init(_ connection: WebSocketConnection) {
            loop = connection.loop
            sockets = connection.sockets
        }

        func add(_ member: Member) -> Bool {
            loop.eventLoop.assertInEventLoop()
            let key = ObjectIdentifier(member.connection)
            if let index = indices[key] {
                members[index].joinCount += 1
                return false
            }
            indices[key] = members.count
            members.append(member)
            return true
        }

        /// Reverts one `add`, or `all` of them. Returns the member if it was removed.
        func remove(_ connection: WebSocketConnection, all: Bool) -> Member? {
            loop.eventLoop.assertInEventLoop()
            if !all, let index = indices[ObjectIdentifier(connection)], members[index].joinCount > 1 {
                members[index].joinCount -= 1
                return nil
            }
            guard let index = indices.removeValue(forKey: ObjectIdentifier(connection)) else { return nil }
            let removed = members[index]
            let last = members.removeLast()
            if index < members.count {
                members[index] = last
                indices[ObjectIdentifier(last.connection)] = index
            }
            return removed
        }

        /// Sends a message from another thread. When a loop falls behind, the queue stays bounded: its members miss messages
        /// as slow clients do.
        func enqueue(_ message: PreparedMessage, except excluded: WebSocketConnection?) {
            let isMissed = missed.withLock { missed in
                if missed == nil, sockets.queuedBytes.load(ordering: .relaxed) < SocketSet.maxQueuedBytes {
                    return false
                }
                // Until the loop has handled that, later messages are missed too. Otherwise they could overtake this one.
                if missed == nil { loop.eventLoop.execute { self.sendMissed() } }
                missed = Missed(message, except: excluded, after: missed)
                return true
            }
            guard !isMissed else { return }
            let bytes = message.message.count + SocketSet.messageOverhead
            sockets.queuedBytes.wrappingAdd(bytes, ordering: .relaxed)
            loop.eventLoop.execute {
                self.sockets.queuedBytes.wrappingSubtract(bytes, ordering: .relaxed)
                self.send(message, except: excluded)
            }
        }

        private func sendMissed() {
            guard let missed = missed.withLock({ $0.take() }) else { return }
            loop.turn {
                var frames = PreparedFrames(missed.latest)
                for member in members where member.connection !== missed.excludedFromAll {
                    member.connection.handleMissed(missed.count, policy: member.policy)
                    guard case .latestOnly = member.policy, member.connection !== missed.excluded else {
                        continue
                    }
                    member.connection.sendPublished(
                        &frames, policy: member.policy, room: ObjectIdentifier(self))
                }
            }
        }

        func send(_ message: PreparedMessage, except excluded: WebSocketConnection?) {
            loop.turn {
                var frames = PreparedFrames(message)
                for member in members where member.connection !== excluded {
                    member.connection.sendPublished(
                        &frames, policy: member.policy, room: ObjectIdentifier(self))
                }
            }
        }
    }

    /// How many bytes, approximately, may be on their way to one loop before its sockets miss messages.
    static let maxQueuedBytes = 32 << 20
    /// The approximate memory of a queued message beside its payload.
    static let messageOverhead = 512

    /// Messages that were not queued for a loop.
    private struct Missed {
        let count: Int
        let latest: PreparedMessage
        let excluded: WebSocketConnection?
        /// The connection that was excluded from each of them.
        let excludedFromAll: WebSocketConnection?

        init(
            _ message: PreparedMessage, except excluded: WebSocketConnection?, after earlier: Missed?
        ) {
            count = (earlier?.count ?? 0) + 1
            latest = message
            self.excluded = excluded
            excludedFromAll = earlier.map { $0.excludedFromAll === excluded ? excluded : nil } ?? excluded
        }
    }

    struct Member {
        let connection: WebSocketConnection
        let socket: WebSocket
        let policy: SlowClientPolicy
        /// How often the socket was added: a room may be joined again within `join`.
        var joinCount = 1
    }

    private let shards = Mutex<[ObjectIdentifier: Shard]>([:])
    private let members = Atomic<Int>(0)

    /// How many sockets are in the set.
    var count: Int { members.load(ordering: .relaxed) }

    /// The members on the loop of `connection`.
    func shard(of connection: WebSocketConnection) -> Shard {
        shards.withLock { shards in
            let key = ObjectIdentifier(connection.loop)
            if let shard = shards[key] { return shard }
            let shard = Shard(connection)
            shards[key] = shard
            return shard
        }
    }

    /// Adds a socket on its event loop, unless it is closed.
    func add(_ socket: WebSocket, policy: SlowClientPolicy) {
        let shard = shard(of: socket.connection)
        socket.connection.onLoop { connection in
            guard !connection.isClosed else { return }
            if shard.add(Member(connection: connection, socket: socket, policy: policy)) {
                self.members.wrappingAdd(1, ordering: .relaxed)
                connection.memberships.rooms.append(self)
                if case .latestOnly = policy { connection.limitUnsent(true) }
            }
        }
    }

    /// Removes a socket.
    ///
    /// - Parameter all: whether to remove it however often it was added. Otherwise this reverts one `add`.
    func remove(_ socket: WebSocket, all: Bool) {
        socket.connection.onLoop { connection in
            guard self.removeOnLoop(connection, all: all) else { return }
            connection.memberships.rooms.removeAll { $0 === self }
        }
    }

    /// Removes a connection on its event loop. Returns whether it was removed.
    @discardableResult
    func removeOnLoop(_ connection: WebSocketConnection, all: Bool = true) -> Bool {
        guard let member = shard(of: connection).remove(connection, all: all) else { return false }
        members.wrappingSubtract(1, ordering: .relaxed)
        if case .latestOnly = member.policy { connection.limitUnsent(false) }
        return true
    }

    /// Sends a message to every member: immediately on this event loop, and with one hop to each of the others.
    func broadcast(_ message: PreparedMessage, except excluded: WebSocket?) {
        let excluded = excluded?.connection
        for shard in shards.withLock({ Array($0.values) }) {
            if shard.loop.eventLoop.inEventLoop {
                shard.send(message, except: excluded)
            } else {
                shard.enqueue(message, except: excluded)
            }
        }
    }

    /// The current sockets, collected loop by loop.
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
