/// All rooms that somebody is in. A room is there from the first who comes to the last who goes; its messages
/// stay in the history.
actor House {
    private struct Entry {
        let room: ChatRoom
        var users: Int
    }

    nonisolated let history: History
    nonisolated let limits: ChatLimits
    private let carrier: any Carrier
    private var rooms: [RoomName: Entry] = [:]
    private var joins: Paces<Origin>

    init(history: History, carrier: any Carrier, limits: ChatLimits = ChatLimits()) {
        self.history = history
        self.carrier = carrier
        self.limits = limits
        joins = Paces(
            most: limits.pacedAddresses, pace: Pace(burst: limits.joinBurst, interval: limits.joinInterval))
    }

    /// Counts an attempt to join.
    ///
    /// - Throws: when there are too many from this origin.
    func admit(_ origin: Origin, at now: ContinuousClock.Instant) throws(ChatError) {
        guard joins.allows(origin, at: now) else {
            throw ChatError(.tooFast, "Too many attempts to join from your address; wait a moment.")
        }
    }

    /// How many rooms somebody is in.
    var count: Int { rooms.count }

    /// The room for one more connection. Every call is to be followed by one of ``giveBack(_:)``.
    func take(_ name: RoomName) -> ChatRoom {
        var entry =
            rooms[name]
            ?? Entry(room: ChatRoom(name: name, history: history, carrier: carrier, limits: limits), users: 0)
        entry.users += 1
        rooms[name] = entry
        return entry.room
    }

    /// The connection needs the room no more.
    func giveBack(_ room: ChatRoom) {
        guard var entry = rooms[room.name], entry.room === room else { return }
        entry.users -= 1
        rooms[room.name] = entry.users > 0 ? entry : nil
    }
}
