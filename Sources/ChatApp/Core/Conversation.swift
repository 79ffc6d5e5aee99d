/// The protocol state of one connection: it parses what the client sends and decides what to do about it.
///
/// It does no I/O. The clock is an argument, and the caller performs the actions.
struct Conversation: Sendable {
    /// What the caller must do.
    enum Action: Sendable, Equatable {
        /// Let the person into the room, then call ``Conversation/entered(as:)``.
        case join(PersonName, after: Int64?, token: String?)
        /// Store the text and publish the stored message.
        case say(SaidText, as: PersonName, ref: String?)
        /// Tell the others in the room.
        case typing(PersonName)
        /// Reply with `pong`.
        case pong
        /// Reply with the error.
        case reject(ChatError)
        /// Do nothing.
        case nothing
    }

    private struct Inside {
        var name: PersonName
        var saying: RateLimiter
        var typing: RateLimiter
    }

    private enum State {
        case outside
        case inside(Inside)
    }

    private let limits: ChatLimits
    private var state = State.outside

    /// The state of a client that has just connected.
    init(limits: ChatLimits = ChatLimits()) {
        self.limits = limits
    }

    /// The client's name in the room, or `nil` before it has joined.
    var name: PersonName? {
        if case .inside(let inside) = state { inside.name } else { nil }
    }

    /// Records that the person has entered the room.
    mutating func entered(as name: PersonName) {
        state = .inside(
            Inside(
                name: name, saying: RateLimiter(burst: limits.sayBurst, interval: limits.sayInterval),
                typing: RateLimiter(burst: 1, interval: limits.typingInterval)))
    }

    /// Handles a text message. The connection stays open whatever the message contains.
    mutating func receive(_ json: String, at now: ContinuousClock.Instant) -> Action {
        do throws(ChatError) {
            switch try ClientMessage(json: json) {
            case .join(let join): return try receive(join)
            case .say(let say): return receive(say, at: now)
            case .typing: return try receiveTyping(at: now)
            case .ping: return .pong
            }
        } catch {
            return .reject(error)
        }
    }

    /// Rejects a binary message. The protocol has none.
    func receiveBinary() -> Action {
        .reject(ChatError(.notText, "The chat accepts text messages only."))
    }

    private func receive(_ join: ClientMessage.Join) throws(ChatError) -> Action {
        if case .inside(let inside) = state {
            throw ChatError(.alreadyJoined, "This socket has already joined as “\(inside.name.text)”.")
        }
        return .join(try PersonName(join.name, limits: limits), after: join.after, token: join.token)
    }

    private mutating func receive(_ say: ClientMessage.Say, at now: ContinuousClock.Instant) -> Action {
        if let ref = say.ref, ref.utf8.count > limits.refBytes {
            return .reject(
                ChatError(
                    .tooLong,
                    "The ref has \(ref.utf8.count) bytes; at most \(limits.refBytes) are allowed.",
                    field: "ref", limit: limits.refBytes, value: "\(ref.utf8.count)"))
        }
        do throws(ChatError) {
            guard case .inside(var inside) = state else { throw .joinFirst }
            let text = try SaidText(say.text, limits: limits)
            guard inside.saying.allows(at: now) else {
                throw ChatError(.tooFast, "Too many messages at once; wait a moment.")
            }
            state = .inside(inside)
            return .say(text, as: inside.name, ref: say.ref)
        } catch {
            return .reject(error.with(ref: say.ref))
        }
    }

    private mutating func receiveTyping(at now: ContinuousClock.Instant) throws(ChatError) -> Action {
        guard case .inside(var inside) = state else { throw .joinFirst }
        guard inside.typing.allows(at: now) else { return .nothing }
        state = .inside(inside)
        return .typing(inside.name)
    }
}

extension ChatError {
    /// The error for messages that are only allowed after `join`.
    fileprivate static var joinFirst: ChatError {
        ChatError(.notJoined, "Join the room first.")
    }
}
