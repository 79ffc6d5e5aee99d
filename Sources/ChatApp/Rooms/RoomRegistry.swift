/// All rooms that somebody is in. A room exists from its first connection to its last. Its messages stay in the history.
actor RoomRegistry {
    private struct Entry {
        let room: ChatRoom
        var users: Int
    }

    nonisolated let history: History
    nonisolated let limits: ChatLimits
    private let broadcaster: any Broadcaster
    private var rooms: [RoomName: Entry] = [:]
    private var joins: RateLimiters<Origin>

    init(history: History, broadcaster: any Broadcaster, limits: ChatLimits = ChatLimits()) {
        self.history = history
        self.broadcaster = broadcaster
        self.limits = limits
        joins = RateLimiters(
            maxKeys: limits.trackedAddresses,
            limiter: RateLimiter(burst: limits.joinBurst, interval: limits.joinInterval))
    }

    /// Counts an attempt to join.
    ///
    /// - Throws: `ChatError` if there are too many attempts from this origin.
    func admit(_ origin: Origin, at now: ContinuousClock.Instant) throws(ChatError) {
        guard joins.allows(origin, at: now) else {
            throw ChatError(.tooFast, "Too many attempts to join from your address; wait a moment.")
        }
    }

    /// How many rooms exist now.
    var count: Int { rooms.count }

    /// The room for one more connection. Each call must be balanced by a call to ``release(_:)``.
    func acquire(_ name: RoomName) -> ChatRoom {
        var entry =
            rooms[name]
            ?? Entry(
                room: ChatRoom(name: name, history: history, broadcaster: broadcaster, limits: limits),
                users: 0)
        entry.users += 1
        rooms[name] = entry
        return entry.room
    }

    /// Releases a room that a connection no longer needs.
    func release(_ room: ChatRoom) {
        guard var entry = rooms[room.name], entry.room === room else { return }
        entry.users -= 1
        rooms[room.name] = entry.users > 0 ? entry : nil
    }
}
