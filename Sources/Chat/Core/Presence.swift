/// Who is in one room. A name is there once, whatever its case; each is held by one session (one socket).
struct Presence<Session: Hashable & Sendable>: Sendable {
    /// How a session got in.
    enum Entry: Sendable, Equatable {
        /// Somebody new: the others are to be told.
        case new
        /// The same person over a new socket, before the old one was known to be dead: the others need not know,
        /// and the old session is to be ended.
        case tookOver(from: Session)
    }

    private struct Member {
        var name: PersonName
        var session: Session
        var token: String
    }

    private let limits: ChatLimits
    /// In the order of their coming.
    private var members: [Member] = []

    /// An empty room.
    init(limits: ChatLimits = ChatLimits()) {
        self.limits = limits
    }

    /// Nobody is here.
    var isEmpty: Bool { members.isEmpty }

    /// The names of those who are here, in the order of their coming.
    var names: [String] { members.map(\.name.text) }

    /// Whether the session holds a name here: after a takeover the old one does not.
    func holds(_ session: Session) -> Bool {
        members.contains { $0.session == session }
    }

    /// Lets a session in.
    ///
    /// - Parameters:
    ///   - token: what the client brought from its last `welcome`; the one who holds it may take its name over.
    ///   - newToken: what the next takeover will need.
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

    /// Checks whether somebody may come in under that name.
    ///
    /// - Returns: where the same person is already.
    @discardableResult
    func check(_ name: PersonName, token: String?) throws(ChatError) -> Int? {
        // A name that looks like two others belongs to neither.
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

    /// Takes a session out. The name that is free now, or nil where the session held none (any more), as after a
    /// takeover: then nobody left.
    mutating func leave(_ session: Session) -> PersonName? {
        guard let index = members.firstIndex(where: { $0.session == session }) else { return nil }
        return members.remove(at: index).name
    }
}
