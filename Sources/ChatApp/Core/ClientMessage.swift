import FoundationEssentials

/// A message from a client: one JSON object per text message, with a `kind`.
enum ClientMessage: Sendable, Equatable {
    /// Enter the room of the socket's path. Must come first.
    case join(Join)
    /// Send a message to the room.
    case say(Say)
    /// The person is typing. There is no reply.
    case typing
    /// Check the connection. The server replies with `pong`.
    case ping

    /// A request to enter the room.
    struct Join: Sendable, Equatable, Codable {
        /// The name that the person wants to have in the room.
        var name: String
        /// The highest message id that the client has seen in this room. Without it, the server sends the latest messages.
        var after: Int64?
        /// The token of an earlier `welcome`. It takes over the name if that session still appears to be connected.
        var token: String?

        init(name: String, after: Int64? = nil, token: String? = nil) {
            self.name = name
            self.after = after
            self.token = token
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            name = try container.decode(String.self, forKey: .name)
            do {
                after = try container.decodeIfPresent(Int64.self, forKey: .after)
            } catch {
                // The decoder does not name the field if the number does not fit an Int64.
                throw DecodingError.typeMismatch(
                    Int64.self,
                    .init(
                        codingPath: container.codingPath + [CodingKeys.after], debugDescription: "not an id"))
            }
            token = try container.decodeIfPresent(String.self, forKey: .token)
        }
    }

    /// A message to the room.
    struct Say: Sendable, Equatable, Codable {
        /// The text, as typed.
        var text: String
        /// The client's own id for this message. A second `say` of the same person with the same `ref` is the same
        /// message. It is stored once, so a client may send it again after a lost connection.
        var ref: String?
    }

    private enum Kind: String, CaseIterable {
        case join, say, typing, ping
    }

    private struct Envelope: Decodable {
        var kind: String
    }

    /// Parses a text message. The error names the invalid field.
    init(json: String) throws(ChatError) {
        let bytes = Data(json.utf8)
        let name = try Self.decode(Envelope.self, from: bytes).kind
        guard let kind = Kind(rawValue: name) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw ChatError(
                .unknownKind,
                "Unknown message kind “\(ChatError.shortened(name))”. Known kinds: \(known).",
                field: "kind", value: name)
        }
        switch kind {
        case .join: self = .join(try Self.decode(Join.self, from: bytes))
        case .say: self = .say(try Self.decode(Say.self, from: bytes))
        case .typing: self = .typing
        case .ping: self = .ping
        }
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: Data
    ) throws(ChatError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: bytes)
        } catch let error as DecodingError {
            throw ChatError(error)
        } catch {
            throw ChatError(.notJSON, "The message is not a JSON object.")
        }
    }

    /// The message as JSON.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension ClientMessage: Encodable {
    private enum Key: String, CodingKey {
        case kind
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .join(let join):
            try container.encode(Kind.join.rawValue, forKey: .kind)
            try join.encode(to: encoder)
        case .say(let say):
            try container.encode(Kind.say.rawValue, forKey: .kind)
            try say.encode(to: encoder)
        case .typing: try container.encode(Kind.typing.rawValue, forKey: .kind)
        case .ping: try container.encode(Kind.ping.rawValue, forKey: .kind)
        }
    }
}

extension ChatError {
    /// Describes a decoding error by the field of the message.
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, _):
            self.init(
                .missingField, "The message has no field “\(key.stringValue)”.", field: key.stringValue)
        case .valueNotFound(_, let context), .typeMismatch(_, let context):
            guard let field = context.codingPath.last?.stringValue else {
                self.init(.notJSON, "The message is not a JSON object.")
                return
            }
            self.init(.wrongType, "The field “\(field)” has the wrong type.", field: field)
        case .dataCorrupted(let context):
            guard let field = context.codingPath.last?.stringValue else {
                self.init(.notJSON, "The message is not JSON.")
                return
            }
            self.init(.wrongType, "The field “\(field)” has an invalid value.", field: field)
        @unknown default:
            self.init(.notJSON, "The message is not a JSON object.")
        }
    }
}
