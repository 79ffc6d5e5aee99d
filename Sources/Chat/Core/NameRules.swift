/// A person's name as it is shown: spaces at the ends cut, runs of spaces made one.
struct PersonName: Sendable, Equatable {
    /// The name as it is shown and stored.
    let text: String

    /// What makes two names the same: case does not count, nor does the choice between text and picture (U+FE0F).
    /// (`String` compares by canonical equivalence, so the composed and the decomposed form of a letter are the same
    /// already.)
    let key: String
    /// What makes two names look the same.
    private let skeleton: String

    /// Whether two people of these names could not be told apart.
    func looksLike(_ other: PersonName) -> Bool {
        key == other.key || skeleton == other.skeleton
    }

    /// Takes what a person typed.
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
        if let fault = LookAlikes.fault(in: text) {
            throw ChatError(.notAllowed, fault.description, field: "name", value: text)
        }
        self.text = text
        var scalars = text.lowercased().unicodeScalars
        scalars.removeAll { $0 == "\u{FE0F}" }
        key = String(scalars)
        skeleton = LookAlikes.skeleton(of: text)
    }
}

extension LookAlikes.Fault {
    /// What is told to the person.
    var description: String {
        switch self {
        case .invisible: "The name may not hold invisible or control characters."
        case .marks: "The name may not hold accents without a letter, or so many on one letter."
        case .disguised: "The name may not hold letters in a special form, such as 𝐚, ａ or ⓐ."
        case .mixedScripts: "The letters of a word must be of one script, not such as Latin and Cyrillic."
        }
    }
}

/// A room's name: lower-case ASCII letters, digits, `-` and `_`, beginning with a letter or digit, so that it can
/// stand in a path and in a page's fragment as it is.
struct RoomName: Sendable, Hashable, CustomStringConvertible {
    /// The name, in lower case.
    let text: String

    var description: String { text }

    /// Takes the room from the path; upper case is folded.
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
                "A room's name is made of the letters a to z, digits, “-” and “_”, and begins with a letter or digit.",
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

/// What a person said: not blank, within the limit, line ends made `\n`.
struct SaidText: Sendable, Equatable {
    /// The text as it is stored and shown.
    let text: String

    /// Takes what a person typed.
    init(_ typed: String, limits: ChatLimits = ChatLimits()) throws(ChatError) {
        let octets = typed.utf8.count
        guard octets <= limits.textOctets else {
            throw ChatError(
                .tooLong, "The message has \(octets) octets; at most \(limits.textOctets) are allowed.",
                field: "text", limit: limits.textOctets, value: "\(octets)")
        }
        guard typed.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw ChatError(.empty, "The message is empty.", field: "text")
        }
        // NUL is refused because SQLite's own tools end a text there.
        guard !typed.unicodeScalars.contains("\0") else {
            throw ChatError(.notAllowed, "The message may not hold the character NUL.", field: "text")
        }
        // In Swift "\r\n" is one character, so both old line ends are replaced in one pass.
        text = String(typed.map { $0 == "\r\n" || $0 == "\r" ? "\n" : $0 })
    }
}
