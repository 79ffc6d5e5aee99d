/// A person's name as it is shown: without leading and trailing spaces, and with single spaces in between.
struct PersonName: Sendable, Equatable {
    /// The name as it is shown and stored.
    let text: String

    /// The key by which names are compared: lower case, without the emoji selector (U+FE0F). `String` compares by
    /// canonical equivalence, so the composed and the decomposed form of a letter are the same.
    let key: String
    /// Names with the same skeleton look the same.
    private let skeleton: String

    /// Whether the names are the same or look the same.
    func looksLike(_ other: PersonName) -> Bool {
        key == other.key || skeleton == other.skeleton
    }

    /// Checks and normalizes a name as a person typed it.
    init(_ typed: String, limits: ChatLimits = ChatLimits()) throws(ChatError) {
        let text = typed.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
        guard !text.isEmpty else {
            throw ChatError(.empty, "The name is empty.", field: "name")
        }
        let length = text.unicodeScalars.count
        guard length <= limits.nameLength else {
            throw ChatError(
                .tooLong, "The name has \(length) characters; at most \(limits.nameLength) are allowed.",
                field: "name", limit: limits.nameLength, value: "\(length)")
        }
        if let fault = LookAlikes.problem(in: text) {
            throw ChatError(.notAllowed, fault.description, field: "name", value: text)
        }
        self.text = text
        var scalars = text.lowercased().unicodeScalars
        scalars.removeAll { $0 == "\u{FE0F}" }
        key = String(scalars)
        skeleton = LookAlikes.skeleton(of: text)
    }
}

extension LookAlikes.Problem {
    /// The text of the error.
    var description: String {
        switch self {
        case .invisible: "The name must not contain invisible or control characters."
        case .marks: "The name must not contain an accent without a letter, or so many accents on one letter."
        case .disguised: "The name must not contain letters in a special form, such as 𝐚, ａ or ⓐ."
        case .mixedScripts: "A word must not mix letters of different scripts, such as Latin and Cyrillic."
        }
    }
}

/// A room's name: lower-case ASCII letters, digits, `-` and `_`, starting with a letter or digit. It needs no escaping
/// in a path or in a URL's fragment.
struct RoomName: Sendable, Hashable, CustomStringConvertible {
    /// The name, in lower case.
    let text: String

    var description: String { text }

    /// Checks the name in a path and converts it to lower case.
    init(_ given: String, limits: ChatLimits = ChatLimits()) throws(ChatError) {
        let text = given.lowercased()
        guard let first = text.utf8.first else {
            throw ChatError(.empty, "The room has no name.", field: "room")
        }
        let length = text.count
        guard length <= limits.roomLength else {
            throw ChatError(
                .tooLong,
                "The room's name has \(length) characters; at most \(limits.roomLength) are allowed.",
                field: "room", limit: limits.roomLength, value: "\(length)")
        }
        guard Self.isLetterOrDigit(first), text.utf8.allSatisfy(Self.isAllowed) else {
            throw ChatError(
                .notAllowed,
                "A room's name consists of the letters a to z, digits, “-” and “_”, and starts with a letter or digit.",
                field: "room", value: text)
        }
        self.text = text
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
}

/// The text of a message: not blank, within the limit, with `\n` as line ends.
struct SaidText: Sendable, Equatable {
    /// The text as it is stored and shown.
    let text: String

    /// Checks and normalizes a text as a person typed it.
    init(_ typed: String, limits: ChatLimits = ChatLimits()) throws(ChatError) {
        let size = typed.utf8.count
        guard size <= limits.textBytes else {
            throw ChatError(
                .tooLong, "The message has \(size) bytes; at most \(limits.textBytes) are allowed.",
                field: "text", limit: limits.textBytes, value: "\(size)")
        }
        guard typed.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw ChatError(.empty, "The message is empty.", field: "text")
        }
        // SQLite's own tools end a text at NUL.
        guard !typed.unicodeScalars.contains("\0") else {
            throw ChatError(.notAllowed, "The message must not contain the character NUL.", field: "text")
        }
        // In Swift, "\r\n" is one character, so one pass replaces both.
        text = String(typed.map { $0 == "\r\n" || $0 == "\r" ? "\n" : $0 })
    }
}
