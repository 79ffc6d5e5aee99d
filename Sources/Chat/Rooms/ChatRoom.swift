import FoundationEssentials

/// One room: who is in it and in which order things happen in it.
///
/// Whatever changes the room or publishes in it passes one turnstile, one after the other. So messages go out in
/// the order of their ids, a coming and a going of the same name are never told in the wrong order, and no
/// message falls between the history that a newcomer reads and what it is sent from then on.
actor ChatRoom {
    nonisolated let name: RoomName
    private let history: History
    private let carrier: any Carrier
    private let limits: ChatLimits
    private var presence: Presence<UUID>
    private var lines: [UUID: any Line] = [:]
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(name: RoomName, history: History, carrier: any Carrier, limits: ChatLimits) {
        self.name = name
        self.history = history
        self.carrier = carrier
        self.limits = limits
        presence = Presence(limits: limits)
    }

    /// Lets a person in. The caller sends the welcome; what is said meanwhile may reach the client before it.
    func enter(
        as person: PersonName, after: Int64?, token: String?, line: any Line
    ) async throws(ChatError) -> ServerMessage.Welcome {
        await pass()
        defer { release() }
        // A name that is taken costs no look at the store.
        try presence.check(person, token: token)
        let newToken = UUID().uuidString.lowercased()
        let (kind, messages) = try await missed(after: after)
        // Only what cannot fail comes after the name has been taken.
        let entry = try presence.join(person, session: line.id, token: token, newToken: newToken)
        lines[line.id] = line
        await carrier.add(line, to: name)
        switch entry {
        case .new: await carrier.publish(.joined(name: person.text), in: name, except: line)
        case .tookOver(let old): await end(old)
        }
        return ServerMessage.Welcome(
            room: name.text, name: person.text, token: newToken, here: presence.names, history: kind,
            messages: messages, limits: limits.told)
    }

    private func missed(
        after: Int64?
    ) async throws(ChatError) -> (ServerMessage.Welcome.History, [ChatMessage]) {
        do {
            return try await history.catchUp(in: name, after: after, limits: limits)
        } catch {
            throw ChatError(.failed, "The history could not be read; try again in a moment.")
        }
    }

    /// Sends the session whose name was taken over away.
    private func end(_ id: UUID) async {
        guard let line = lines.removeValue(forKey: id) else { return }
        await carrier.remove(line, from: name)
        // Most likely it is a ghost that reads nothing: the room does not wait for it.
        Task {
            try? await line.send(.error(.sessionReplaced))
            await line.end()
        }
    }

    /// Takes a connection out, whether it had a name or not.
    func leave(_ line: any Line) async {
        await pass()
        defer { release() }
        guard lines.removeValue(forKey: line.id) != nil else { return }
        await carrier.remove(line, from: name)
        if let person = presence.leave(line.id) {
            await carrier.publish(.left(name: person.text), in: name, except: line)
        }
    }

    /// Stores a message and publishes what was stored. Had it been stored before (the same `ref`), only the
    /// sender is to be told again: then the message is returned.
    func say(
        _ text: SaidText, as person: PersonName, ref: String?, line: any Line, time: Int64
    ) async throws(ChatError) -> ChatMessage? {
        await pass()
        defer { release() }
        guard presence.holds(line.id) else { throw .sessionReplaced }
        let stored: History.Stored
        do {
            stored = try await history.append(text, name: person, room: name, ref: ref, time: time)
        } catch {
            throw ChatError(.failed, "The message could not be stored; try again in a moment.")
        }
        guard stored.isNew else { return stored.message }
        await carrier.publish(.said(stored.message), in: name, except: nil)
        return nil
    }

    /// Tells the others that somebody is typing.
    func typing(_ person: PersonName, line: any Line) async {
        guard presence.holds(line.id) else { return }
        await carrier.publish(.typing(name: person.text), in: name, except: line)
    }

    /// Waits for the turnstile. Each connection waits at most once, so the line is as long as the room is full.
    private func pass() async {
        if !isBusy {
            isBusy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func release() {
        if waiting.isEmpty {
            isBusy = false
        } else {
            waiting.removeFirst().resume()
        }
    }
}

extension ChatError {
    /// The same person goes on over another socket.
    static var sessionReplaced: ChatError {
        ChatError(.replaced, "The same session went on over another connection.")
    }
}
