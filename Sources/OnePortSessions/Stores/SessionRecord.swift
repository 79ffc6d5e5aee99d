/// What a session consists of, as a store keeps it.
///
/// Times are seconds since 1970-01-01 00:00:00 UTC.
public struct SessionRecord: Sendable, Hashable, Codable {
    /// Who has signed in; `nil` for a visitor.
    public internal(set) var user: String?
    /// Whether the session outlives the browser (`remember`).
    public internal(set) var isRemembered = false
    /// When the session began: at its first value, or when the user signed in.
    public internal(set) var startedAt: Int64
    /// When the session was last used, to within a twentieth of the idle timeout.
    public internal(set) var usedAt: Int64
    /// When it ends. A store may drop it then.
    public internal(set) var expiresAt: Int64
    /// The values by the names of their keys, as JSON.
    public internal(set) var values: [String: String] = [:]
    /// Messages for the next page.
    public internal(set) var flashes: [FlashMessage] = []

    // Short, because a cookie has little room.
    private enum CodingKeys: String, CodingKey {
        case user = "u"
        case isRemembered = "r"
        case startedAt = "s"
        case usedAt = "t"
        case expiresAt = "e"
        case values = "v"
        case flashes = "f"
    }

    init(now: Int64) {
        startedAt = now
        usedAt = now
        expiresAt = now
    }

    /// Whether nothing has to be kept.
    var isEmpty: Bool { user == nil && values.isEmpty && flashes.isEmpty }

    /// The bytes of everything that the application has put in, names included.
    var contentLength: Int {
        values.reduce(user?.utf8.count ?? 0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
            + flashes.reduce(0) { $0 + $1.kind.utf8.count + $1.text.utf8.count }
    }
}

/// A message that is shown once, on the next page.
public struct FlashMessage: Sendable, Hashable, Codable {
    /// What kind of message it is, for example for a CSS class.
    public var kind: String
    /// The text.
    public var text: String

    /// A message.
    public init(_ text: String, kind: String = "info") {
        self.kind = kind
        self.text = text
    }

    private enum CodingKeys: String, CodingKey {
        case kind = "k"
        case text = "t"
    }
}
