/// Why the chat rejected a message. The client receives it as an `error` message.
struct ChatError: Error, Sendable, Equatable, Codable {
    /// What went wrong, for programs.
    enum Code: String, Sendable, Codable, CaseIterable {
        /// The message is not a JSON object.
        case notJSON = "not_json"
        /// The message is a binary message.
        case notText = "not_text"
        /// A required field is missing.
        case missingField = "missing_field"
        /// A field has the wrong type.
        case wrongType = "wrong_type"
        /// `kind` is not one that a client may send.
        case unknownKind = "unknown_kind"
        /// A field that must not be empty is empty.
        case empty
        /// A field is longer than its limit.
        case tooLong = "too_long"
        /// A field holds characters that its rule does not allow.
        case notAllowed = "not_allowed"
        /// Somebody in the room already has that name, or one that looks like it.
        case nameTaken = "name_taken"
        /// The room is full.
        case roomFull = "room_full"
        /// The client must send `join` first.
        case notJoined = "not_joined"
        /// The client has already joined over this socket.
        case alreadyJoined = "already_joined"
        /// The client, or its address, exceeds a rate limit.
        case tooFast = "too_fast"
        /// The same person joined over another socket. The server closes this one next.
        case replaced
        /// The server could not read or write the store. Nothing was stored.
        case failed
    }

    var code: Code
    /// What went wrong, for people: an English sentence.
    var text: String
    /// The field of the client's message that is invalid.
    var field: String?
    /// The limit that was exceeded, in the unit that the text names.
    var limit: Int?
    /// The rejected value, shortened, or its size if it exceeds a limit.
    var value: String?
    /// The `ref` of the rejected `say`.
    var ref: String?

    init(
        _ code: Code, _ text: String, field: String? = nil, limit: Int? = nil, value: String? = nil,
        ref: String? = nil
    ) {
        self.code = code
        self.text = text
        self.field = field
        self.limit = limit
        self.value = value.map(Self.shortened)
        self.ref = ref
    }

    /// The same error for the `say` with this `ref`.
    func with(ref: String?) -> ChatError {
        var copy = self
        copy.ref = ref
        return copy
    }

    /// Shortens a value to 64 Unicode scalars, so that an error does not grow with what the client sent.
    static func shortened(_ value: String) -> String {
        value.unicodeScalars.count <= 64
            ? value : String(String.UnicodeScalarView(value.unicodeScalars.prefix(64))) + "…"
    }
}
