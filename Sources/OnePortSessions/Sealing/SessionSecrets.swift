import Crypto

/// Why secrets for cookies were rejected.
public enum SessionSecretError: Error, Equatable, CustomStringConvertible {
    /// A secret is shorter than `SessionSecrets.minimumLength`. `position` is 0 for the current one.
    case tooShort(position: Int, length: Int)
    /// More secrets than `SessionSecrets.maximumCount`.
    case tooMany(count: Int)

    /// What is wrong, never the secret.
    public var description: String {
        switch self {
        case .tooShort(let position, let length):
            "secret \(position) has \(length) bytes, fewer than \(SessionSecrets.minimumLength); `openssl rand -base64 32` makes one"
        case .tooMany(let count): "\(count) secrets, more than \(SessionSecrets.maximumCount)"
        }
    }
}

/// The secrets that encrypt session cookies.
///
/// The current secret encrypts. The previous ones only decrypt, and their cookies are encrypted again with the current one
/// when the session is next used. To rotate, put a new secret in front, and remove the old one when the longest lifetime of
/// a session has passed. If a secret has leaked, remove it at once: its sessions then end.
public struct SessionSecrets: Sendable {
    /// The smallest length of a secret, in bytes.
    public static let minimumLength = 32
    /// The most secrets, the current one included. Each costs time when a cookie is not valid.
    public static let maximumCount = 8

    let keys: [SymmetricKey]

    /// Secrets as random text, for example from the environment.
    ///
    /// - Throws: `SessionSecretError` for a secret that is too short, or too many of them.
    public init(_ current: String, previous: [String] = []) throws(SessionSecretError) {
        let all = [current] + previous
        guard all.count <= Self.maximumCount else { throw .tooMany(count: all.count) }
        var keys: [SymmetricKey] = []
        for (position, secret) in all.enumerated() {
            let length = secret.utf8.count
            guard length >= Self.minimumLength else { throw .tooShort(position: position, length: length) }
            keys.append(SymmetricKey(data: Array(secret.utf8)))
        }
        self.keys = keys
    }

    private init(keys: [SymmetricKey]) { self.keys = keys }

    /// A random secret, for tests and development: all sessions end with the process, and no other process can read them.
    public static func random() -> SessionSecrets { SessionSecrets(keys: [SymmetricKey(size: .bits256)]) }
}
