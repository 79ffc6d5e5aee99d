import FoundationEssentials

/// A message of a room as it is stored, sent and shown.
struct ChatMessage: Sendable, Equatable, Codable {
    /// Given by the store; grows, is never used twice.
    var id: Int64
    /// Who said it.
    var name: String
    /// What was said.
    var text: String
    /// When the server stored it, in milliseconds since 1970-01-01T00:00:00Z.
    var time: Int64
    /// What the sender called it; lets the sender know its own message again.
    var ref: String?
}

/// What the server sends: one JSON object per text message, told apart by `kind`.
enum ServerMessage: Sendable, Equatable {
    /// The answer to a good `join`.
    case welcome(Welcome)
    /// Somebody said something.
    case said(ChatMessage)
    /// Somebody came.
    case joined(name: String)
    /// Somebody went.
    case left(name: String)
    /// Somebody is typing.
    case typing(name: String)
    /// Something was refused.
    case error(ChatError)
    /// The answer to `ping`.
    case pong

    /// What somebody who enters is told.
    struct Welcome: Sendable, Equatable, Codable {
        /// How ``messages`` relates to what the client has already.
        enum History: String, Sendable, Codable {
            /// The latest messages; whatever the client has of this room is to be replaced.
            case recent
            /// Everything since `after`; to be appended.
            case missed
            /// The newest of what came since `after`; between that and the first of these some are left out.
            case gap
        }

        /// The room's name in its one spelling.
        var room: String
        /// The person's name in its one spelling.
        var name: String
        /// Proves on the next `join` that this is the same person.
        var token: String
        /// Who is here, the newcomer too, in the order of their coming.
        var here: [String]
        /// What ``messages`` is.
        var history: History
        /// Oldest first.
        var messages: [ChatMessage]
        /// What the server will refuse to go beyond.
        var limits: ChatLimits.Told
    }

    private enum Kind: String, Codable {
        case welcome, said, joined, left, typing, error, pong
    }

    private enum Key: String, CodingKey {
        case kind, name
    }

    /// The message as it goes over the wire.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// Reads what a server sent.
    init(json: String) throws {
        self = try JSONDecoder().decode(ServerMessage.self, from: Data(json.utf8))
    }
}

extension ServerMessage: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decode(Kind.self, forKey: .kind) {
        case .welcome: self = .welcome(try Welcome(from: decoder))
        case .said: self = .said(try ChatMessage(from: decoder))
        case .joined: self = .joined(name: try container.decode(String.self, forKey: .name))
        case .left: self = .left(name: try container.decode(String.self, forKey: .name))
        case .typing: self = .typing(name: try container.decode(String.self, forKey: .name))
        case .error: self = .error(try ChatError(from: decoder))
        case .pong: self = .pong
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .welcome(let welcome):
            try container.encode(Kind.welcome, forKey: .kind)
            try welcome.encode(to: encoder)
        case .said(let message):
            try container.encode(Kind.said, forKey: .kind)
            try message.encode(to: encoder)
        case .joined(let name):
            try container.encode(Kind.joined, forKey: .kind)
            try container.encode(name, forKey: .name)
        case .left(let name):
            try container.encode(Kind.left, forKey: .kind)
            try container.encode(name, forKey: .name)
        case .typing(let name):
            try container.encode(Kind.typing, forKey: .kind)
            try container.encode(name, forKey: .name)
        case .error(let error):
            try container.encode(Kind.error, forKey: .kind)
            try error.encode(to: encoder)
        case .pong:
            try container.encode(Kind.pong, forKey: .kind)
        }
    }
}
