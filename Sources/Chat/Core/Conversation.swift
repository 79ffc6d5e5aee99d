/// One client's side of the protocol, from the first byte to the last: what it may do next, and what is to be
/// done about what it sent. No socket, no clock, no store.
struct Conversation: Sendable {
    /// What is to be done.
    enum Action: Sendable, Equatable {
        /// Let the person into the room, then say so with ``Conversation/entered(as:)``.
        case join(PersonName, after: Int64?, token: String?)
        /// Store the text and publish what was stored.
        case say(SaidText, as: PersonName, ref: String?)
        /// Tell the others.
        case typing(PersonName)
        /// Answer with `pong`.
        case pong
        /// Answer with the error.
        case refuse(ChatError)
        /// Nothing.
        case nothing
    }

    private struct Inside {
        var name: PersonName
        var saying: Pace
        var typing: Pace
    }

    private enum State {
        case outside
        case inside(Inside)
    }

    private let limits: ChatLimits
    private var state = State.outside

    /// A client that has just connected.
    init(limits: ChatLimits = ChatLimits()) {
        self.limits = limits
    }

    /// The name the client is inside as.
    var name: PersonName? {
        if case .inside(let inside) = state { inside.name } else { nil }
    }

    /// The room let the person in.
    mutating func entered(as name: PersonName) {
        state = .inside(
            Inside(
                name: name, saying: Pace(burst: limits.sayBurst, interval: limits.sayInterval),
                typing: Pace(burst: 1, interval: limits.typingInterval)))
    }

    /// Takes one text message. Whatever it holds, the connection goes on.
    mutating func receive(_ json: String, at now: ContinuousClock.Instant) -> Action {
        do throws(ChatError) {
            switch try ClientMessage(json: json) {
            case .join(let join): return try receive(join)
            case .say(let say): return receive(say, at: now)
            case .typing: return try receiveTyping(at: now)
            case .ping: return .pong
            }
        } catch {
            return .refuse(error)
        }
    }

    /// Takes one binary message, which the protocol does not have.
    func receiveBinary() -> Action {
        .refuse(ChatError(.notText, "The chat takes text messages, not binary ones."))
    }

    private func receive(_ join: ClientMessage.Join) throws(ChatError) -> Action {
        if case .inside(let inside) = state {
            throw ChatError(.alreadyJoined, "This socket has joined already, as “\(inside.name.text)”.")
        }
        return .join(try PersonName(join.name, limits: limits), after: join.after, token: join.token)
    }

    private mutating func receive(_ say: ClientMessage.Say, at now: ContinuousClock.Instant) -> Action {
        if let ref = say.ref, ref.utf8.count > limits.refOctets {
            return .refuse(
                ChatError(
                    .tooLong,
                    "The ref has \(ref.utf8.count) octets; at most \(limits.refOctets) are allowed.",
                    field: "ref", limit: limits.refOctets, value: "\(ref.utf8.count)"))
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
            return .refuse(error.about(ref: say.ref))
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
    /// The answer to whatever needs a name before there is one.
    fileprivate static var joinFirst: ChatError {
        ChatError(.notJoined, "Join the room first.")
    }
}
