import FoundationEssentials

/// A message in a room, as it is stored and sent.
struct ChatMessage: Sendable, Equatable, Codable {
    /// The id that the store assigned. Ids increase and are never reused.
    var id: Int64
    /// The sender's name.
    var name: String
    /// The text.
    var text: String
    /// When the server stored it, in milliseconds since 1970-01-01T00:00:00Z.
    var time: Int64
    /// The sender's own id for the message, by which it recognizes its own message.
    var ref: String?
}

/// A message from the server: one JSON object per text message, with a `kind`.
enum ServerMessage: Sendable, Equatable {
    /// The reply to a successful `join`.
    case welcome(Welcome)
    /// Somebody sent a message.
    case said(ChatMessage)
    /// Somebody joined the room.
    case joined(name: String)
    /// Somebody left the room.
    case left(name: String)
    /// Somebody is typing.
    case typing(name: String)
    /// The server rejected something.
    case error(ChatError)
    /// The reply to `ping`.
    case pong

    /// What a client receives when it joins.
    struct Welcome: Sendable, Equatable, Codable {
        /// How ``messages`` relates to the messages that the client already has.
        enum HistoryKind: String, Sendable, Codable {
            /// The latest messages. They replace the client's messages of this room.
            case recent
            /// Everything since `after`. The client appends them.
            case missed
            /// The newest messages since `after`. Some between `after` and the first of these are left out.
            case gap
        }

        /// The room's normalized name.
        var room: String
        /// The person's normalized name.
        var name: String
        /// Proves in the next `join` that it is the same person.
        var token: String
        /// The names of the people in the room, including the new one, in the order in which they joined.
        var here: [String]
        /// What ``messages`` is.
        var history: HistoryKind
        /// Oldest first.
        var messages: [ChatMessage]
        /// The limits that the server enforces.
        var limits: ChatLimits.Advertised
    }

    private enum Kind: String, Codable {
        case welcome, said, joined, left, typing, error, pong
    }

    private enum Key: String, CodingKey {
        case kind, name
    }

    /// The message as JSON.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    /// Parses a message from the server.
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
