/// Serves one connection from open to close: performs the actions of ``Conversation`` in the room and replies.
struct ClientSession {
    private let connection: any ClientConnection
    private let registry: RoomRegistry
    /// The room named by the path, or the error that the client receives when it tries to join.
    private let room: Result<RoomName, ChatError>
    private var conversation: Conversation
    private var entered: ChatRoom?

    /// - Parameter path: the room's name in the socket's path.
    init(room path: String, connection: any ClientConnection, registry: RoomRegistry) {
        self.connection = connection
        self.registry = registry
        let limits = registry.limits
        do throws(ChatError) {
            room = .success(try RoomName(path, limits: limits))
        } catch {
            room = .failure(error)
        }
        conversation = Conversation(limits: limits)
    }

    /// Handles a text message and sends the reply, if there is one.
    ///
    /// - Parameters:
    ///   - now: the time for the rate limits.
    ///   - time: the time to store, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Throws: the error of `ClientConnection.send` if the client has disconnected.
    mutating func receive(_ json: String, at now: ContinuousClock.Instant, time: Int64) async throws {
        let action = conversation.receive(json, at: now)
        let reply: ServerMessage?
        do throws(ChatError) {
            reply = try await perform(action, at: now, time: time)
        } catch {
            reply = .error(error)
        }
        if let reply { try await connection.send(reply) }
    }

    /// Rejects a binary message. The protocol has none.
    func receiveBinary() async throws {
        if case .reject(let error) = conversation.receiveBinary() {
            try await connection.send(.error(error))
        }
    }

    /// Leaves the room after the connection has closed.
    mutating func end() async {
        guard let room = entered else { return }
        entered = nil
        await room.leave(connection)
        await registry.release(room)
    }

    private mutating func perform(
        _ action: Conversation.Action, at now: ContinuousClock.Instant, time: Int64
    ) async throws(ChatError) -> ServerMessage? {
        switch action {
        case .join(let person, let after, let token):
            try await registry.admit(connection.origin, at: now)
            return .welcome(try await enter(as: person, after: after, token: token))
        case .say(let text, let person, let ref):
            do throws(ChatError) {
                return try await entered?.say(text, as: person, ref: ref, connection: connection, time: time)
                    .map {
                        .said($0)
                    }
            } catch {
                throw error.with(ref: ref)
            }
        case .typing(let person):
            await entered?.typing(person, connection: connection)
            return nil
        case .pong: return .pong
        case .reject(let error): throw error
        case .nothing: return nil
        }
    }

    private mutating func enter(
        as person: PersonName, after: Int64?, token: String?
    ) async throws(ChatError) -> ServerMessage.Welcome {
        let room = await registry.acquire(try room.get())
        do throws(ChatError) {
            let welcome = try await room.enter(as: person, after: after, token: token, connection: connection)
            entered = room
            conversation.entered(as: person)
            return welcome
        } catch {
            await registry.release(room)
            throw error
        }
    }
}
