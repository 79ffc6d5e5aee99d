import Crypto
import FoundationEssentials

/// Encrypts and authenticates what a cookie contains (AES-256-GCM, NIST SP 800-38D).
///
/// Each cookie has a key of its own, derived from the secret and a random salt (HKDF-SHA256, RFC 5869), so that the number
/// of cookies under one secret has no practical bound. A cookie opens only under the name that it was sealed for.
struct CookieSeal: Sendable {
    private static let saltLength = 24
    private static let tagLength = 16
    private static let nonceLength = 12

    /// The length of the cookie's value for a plaintext of that many bytes.
    static func sealedLength(of plaintext: Int) -> Int {
        ((saltLength + nonceLength + tagLength + plaintext) * 4 + 2) / 3
    }

    private let secrets: SessionSecrets

    init(_ secrets: SessionSecrets) { self.secrets = secrets }

    /// The value of a cookie.
    func seal(_ plaintext: Data, for name: String) throws -> String {
        let salt = Token.randomBytes(Self.saltLength)
        let key = Self.key(secrets.keys[0], salt, name)
        let box = try AES.GCM.seal(plaintext, using: key, authenticating: Array(name.utf8))
        var bytes = salt
        bytes.append(contentsOf: box.nonce)
        bytes.append(contentsOf: box.ciphertext)
        bytes.append(contentsOf: box.tag)
        return Base64URL.encode(bytes)
    }

    /// The plaintext, and whether the current secret has sealed it; `nil` for anything that no secret has sealed for this
    /// name.
    func open(_ value: String, for name: String) -> (plaintext: Data, isCurrent: Bool)? {
        guard value.utf8.count <= SetCookieLimit.length, let bytes = Base64URL.decode(value),
            bytes.count >= Self.saltLength + Self.nonceLength + Self.tagLength
        else { return nil }
        let salt = Array(bytes.prefix(Self.saltLength))
        guard let box = try? AES.GCM.SealedBox(combined: bytes.dropFirst(Self.saltLength)) else { return nil }
        for (position, secret) in secrets.keys.enumerated() {
            let key = Self.key(secret, salt, name)
            if let plaintext = try? AES.GCM.open(box, using: key, authenticating: Array(name.utf8)) {
                return (plaintext, position == 0)
            }
        }
        return nil
    }

    private static func key(_ secret: SymmetricKey, _ salt: [UInt8], _ name: String) -> SymmetricKey {
        HKDF<Crypto.SHA256>.deriveKey(
            inputKeyMaterial: secret, salt: salt, info: Array("OnePort session \(name)".utf8),
            outputByteCount: 32)
    }
}

/// What browsers keep of a cookie.
enum SetCookieLimit {
    /// The largest name and value together, in bytes.
    static let length = 4096
}
