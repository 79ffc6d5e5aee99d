/// Who is in a room. Each name occurs once, whatever its case, and belongs to one session (one socket).
struct Presence<Session: Hashable & Sendable>: Sendable {
    /// How a session entered the room.
    enum Entry: Sendable, Equatable {
        /// The person is new. The others must be told.
        case new
        /// The same person came back over a new socket before the server noticed that the old one was dead. The others
        /// need not know, and the old session must be closed.
        case tookOver(from: Session)
    }

    private struct Member {
        var name: PersonName
        var session: Session
        var token: String
    }

    private let limits: ChatLimits
    /// In the order in which they joined.
    private var members: [Member] = []

    /// An empty room.
    init(limits: ChatLimits = ChatLimits()) {
        self.limits = limits
    }

    /// Whether the room is empty.
    var isEmpty: Bool { members.isEmpty }

    /// The names of the people in the room, in the order in which they joined.
    var names: [String] { members.map(\.name.text) }

    /// Whether the session has a name in the room. After a takeover, the old session does not.
    func holds(_ session: Session) -> Bool {
        members.contains { $0.session == session }
    }

    /// Adds a session.
    ///
    /// - Parameters:
    ///   - token: the token of the client's last `welcome`. It lets the client take over its name.
    ///   - newToken: the token for the next takeover.
    mutating func join(
        _ name: PersonName, session: Session, token: String?, newToken: String
    ) throws(ChatError) -> Entry {
        let member = Member(name: name, session: session, token: newToken)
        if let index = try check(name, token: token) {
            let old = members[index].session
            members[index] = member
            return .tookOver(from: old)
        }
        members.append(member)
        return .new
    }

    /// Checks whether somebody may join under that name.
    ///
    /// - Returns: the index of the member to replace if the token takes over its name, otherwise `nil`.
    @discardableResult
    func check(_ name: PersonName, token: String?) throws(ChatError) -> Int? {
        // The first member whose name is the same or looks the same decides.
        for (index, member) in members.enumerated() where member.name.looksLike(name) {
            if member.token == token, member.name.key == name.key { return index }
            let isSame = member.name.key == name.key
            throw ChatError(
                .nameTaken,
                isSame
                    ? "Somebody named “\(member.name.text)” is already in this room."
                    : "“\(name.text)” looks like “\(member.name.text)”, who is already in this room.",
                field: "name", value: name.text)
        }
        guard members.count < limits.peoplePerRoom else {
            throw ChatError(
                .roomFull, "The room is full: \(limits.peoplePerRoom) people are here.", field: "room",
                limit: limits.peoplePerRoom)
        }
        return nil
    }

    /// Removes a session.
    ///
    /// - Returns: the name of the person who left, or `nil` if the session had no name, as after a takeover.
    mutating func leave(_ session: Session) -> PersonName? {
        guard let index = members.firstIndex(where: { $0.session == session }) else { return nil }
        return members.remove(at: index).name
    }
}
