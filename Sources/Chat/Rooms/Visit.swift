/// One connection from its opening to its end: does what ``Conversation`` decides, in the room and over the line.
struct Visit {
    private let line: any Line
    private let house: House
    /// The room of the path, or why there cannot be one; told when the client tries to join.
    private let room: Result<RoomName, ChatError>
    private var conversation: Conversation
    private var entered: ChatRoom?

    /// - Parameter path: the room as the socket's path names it.
    init(room path: String, line: any Line, house: House) {
        self.line = line
        self.house = house
        let limits = house.limits
        do throws(ChatError) {
            room = .success(try RoomName(path, limits: limits))
        } catch {
            room = .failure(error)
        }
        conversation = Conversation(limits: limits)
    }

    /// Takes one text message and answers it.
    ///
    /// - Parameters:
    ///   - now: for the pace.
    ///   - time: for the store, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Throws: only what the line throws, when the client is gone.
    mutating func receive(_ json: String, at now: ContinuousClock.Instant, time: Int64) async throws {
        let action = conversation.receive(json, at: now)
        let answer: ServerMessage?
        do throws(ChatError) {
            answer = try await perform(action, at: now, time: time)
        } catch {
            answer = .error(error)
        }
        if let answer { try await line.send(answer) }
    }

    /// Takes one binary message, of which the protocol has none, and says so.
    func receiveBinary() async throws {
        if case .refuse(let error) = conversation.receiveBinary() {
            try await line.send(.error(error))
        }
    }

    /// The connection is over.
    mutating func end() async {
        guard let room = entered else { return }
        entered = nil
        await room.leave(line)
        await house.giveBack(room)
    }

    private mutating func perform(
        _ action: Conversation.Action, at now: ContinuousClock.Instant, time: Int64
    ) async throws(ChatError) -> ServerMessage? {
        switch action {
        case .join(let person, let after, let token):
            try await house.admit(line.origin, at: now)
            return .welcome(try await enter(as: person, after: after, token: token))
        case .say(let text, let person, let ref):
            do throws(ChatError) {
                return try await entered?.say(text, as: person, ref: ref, line: line, time: time).map {
                    .said($0)
                }
            } catch {
                throw error.about(ref: ref)
            }
        case .typing(let person):
            await entered?.typing(person, line: line)
            return nil
        case .pong: return .pong
        case .refuse(let error): throw error
        case .nothing: return nil
        }
    }

    private mutating func enter(
        as person: PersonName, after: Int64?, token: String?
    ) async throws(ChatError) -> ServerMessage.Welcome {
        let room = await house.take(try room.get())
        do throws(ChatError) {
            let welcome = try await room.enter(as: person, after: after, token: token, line: line)
            entered = room
            conversation.entered(as: person)
            return welcome
        } catch {
            await house.giveBack(room)
            throw error
        }
    }
}
