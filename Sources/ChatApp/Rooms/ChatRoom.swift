import FoundationEssentials

/// One room: who is in it, and the order of its events.
///
/// Joins, leaves and messages run one after the other, each to its end. So messages are published in the order of their
/// ids, the joining and leaving of the same name are never published in the wrong order, and no message is lost between
/// the history that a new client reads and the messages that it is sent from then on.
actor ChatRoom {
    nonisolated let name: RoomName
    private let history: History
    private let broadcaster: any Broadcaster
    private let limits: ChatLimits
    private var presence: Presence<UUID>
    private var connections: [UUID: any ClientConnection] = [:]
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(name: RoomName, history: History, broadcaster: any Broadcaster, limits: ChatLimits) {
        self.name = name
        self.history = history
        self.broadcaster = broadcaster
        self.limits = limits
        presence = Presence(limits: limits)
    }

    /// Lets a person in. The caller sends the welcome. Messages published in the meantime may reach the client before it.
    func enter(
        as person: PersonName, after: Int64?, token: String?, connection: any ClientConnection
    ) async throws(ChatError) -> ServerMessage.Welcome {
        await lock()
        defer { unlock() }
        // Checked first, so that a name that is taken costs no read of the store.
        try presence.check(person, token: token)
        let newToken = UUID().uuidString.lowercased()
        let (kind, messages) = try await missed(after: after)
        // Once the name has been taken, nothing may fail.
        let entry = try presence.join(person, session: connection.id, token: token, newToken: newToken)
        connections[connection.id] = connection
        await broadcaster.add(connection, to: name)
        switch entry {
        case .new: await broadcaster.publish(.joined(name: person.text), in: name, except: connection)
        case .tookOver(let old): await end(old)
        }
        return ServerMessage.Welcome(
            room: name.text, name: person.text, token: newToken, here: presence.names, history: kind,
            messages: messages, limits: limits.advertised)
    }

    private func missed(
        after: Int64?
    ) async throws(ChatError) -> (ServerMessage.Welcome.HistoryKind, [ChatMessage]) {
        do {
            return try await history.catchUp(in: name, after: after, limits: limits)
        } catch {
            throw ChatError(.failed, "The history could not be read; try again in a moment.")
        }
    }

    /// Closes the session whose name was taken over.
    private func end(_ id: UUID) async {
        guard let connection = connections.removeValue(forKey: id) else { return }
        await broadcaster.remove(connection, from: name)
        // The connection is most likely dead, so the room does not wait for it.
        Task {
            try? await connection.send(.error(.sessionReplaced))
            await connection.end()
        }
    }

    /// Removes a connection, whether it had a name or not.
    func leave(_ connection: any ClientConnection) async {
        await lock()
        defer { unlock() }
        guard connections.removeValue(forKey: connection.id) != nil else { return }
        await broadcaster.remove(connection, from: name)
        if let person = presence.leave(connection.id) {
            await broadcaster.publish(.left(name: person.text), in: name, except: connection)
        }
    }

    /// Stores a message and publishes it.
    ///
    /// - Returns: the message if it had been stored before (the same `ref`), in which case only the sender must be told
    ///   again; otherwise `nil`.
    func say(
        _ text: SaidText, as person: PersonName, ref: String?, connection: any ClientConnection, time: Int64
    ) async throws(ChatError) -> ChatMessage? {
        await lock()
        defer { unlock() }
        guard presence.holds(connection.id) else { throw .sessionReplaced }
        let stored: History.Stored
        do {
            stored = try await history.append(text, name: person, room: name, ref: ref, time: time)
        } catch {
            throw ChatError(.failed, "The message could not be stored; try again in a moment.")
        }
        guard stored.isNew else { return stored.message }
        await broadcaster.publish(.said(stored.message), in: name, except: nil)
        return nil
    }

    /// Publishes that somebody is typing.
    func typing(_ person: PersonName, connection: any ClientConnection) async {
        guard presence.holds(connection.id) else { return }
        await broadcaster.publish(.typing(name: person.text), in: name, except: connection)
    }

    /// Waits until no other operation runs. Each connection waits at most once, which bounds the number of waiters.
    private func lock() async {
        if !isBusy {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func unlock() {
        if waiting.isEmpty {
            isBusy = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}

extension ChatError {
    /// The same person has joined over another socket.
    static var sessionReplaced: ChatError {
        ChatError(.replaced, "This session continues over another connection.")
    }
}
