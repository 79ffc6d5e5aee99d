/// Why the chat refused something: what the client is told in an `error` message. The socket always stays open.
struct ChatError: Error, Sendable, Equatable, Codable {
    /// What went wrong, for programs.
    enum Code: String, Sendable, Codable, CaseIterable {
        /// The message is not a JSON object.
        case notJSON = "not_json"
        /// The message came as a binary one.
        case notText = "not_text"
        /// A required field is missing.
        case missingField = "missing_field"
        /// A field has another type than the protocol gives it.
        case wrongType = "wrong_type"
        /// `kind` is none that a client may send.
        case unknownKind = "unknown_kind"
        /// A field that must not be empty is empty.
        case empty
        /// A field is longer than its limit.
        case tooLong = "too_long"
        /// A field holds characters that its rule does not allow.
        case notAllowed = "not_allowed"
        /// Somebody in the room has that name already.
        case nameTaken = "name_taken"
        /// The room has as many people as it takes.
        case roomFull = "room_full"
        /// The message needs a `join` before it.
        case notJoined = "not_joined"
        /// A second `join` over one socket.
        case alreadyJoined = "already_joined"
        /// Messages come faster than the pace that is allowed.
        case tooFast = "too_fast"
        /// The same session joined over another socket; this one is closed next.
        case replaced
        /// The server could not do it; nothing was stored.
        case failed
    }

    var code: Code
    /// What went wrong, for people: one English sentence.
    var text: String
    /// The field of the client's message that is at fault.
    var field: String?
    /// The limit that was passed, in the unit the text names.
    var limit: Int?
    /// The value that was refused, or its size where a limit was passed; shortened.
    var value: String?
    /// The `ref` of the `say` that was refused.
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

    /// The same error as an answer to one particular `say`.
    func about(ref: String?) -> ChatError {
        var copy = self
        copy.ref = ref
        return copy
    }

    /// What is echoed to a client never grows with what the client sent.
    static func shortened(_ value: String) -> String {
        value.unicodeScalars.count <= 64
            ? value : String(String.UnicodeScalarView(value.unicodeScalars.prefix(64))) + "…"
    }
}
