import Crypto

/// Random tokens that nobody can guess, and comparisons that tell nothing by their time.
enum Token {
    /// Random bytes from the system's generator.
    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// 256 random bits as 43 characters.
    static func random() -> String { Base64URL.encode(randomBytes(32)) }

    /// A digest under which a token is stored. Who reads it cannot make the token of it.
    static func digest(_ token: String) -> String {
        Base64URL.encode(Crypto.SHA256.hash(data: Array(token.utf8)))
    }

    /// Whether two texts are equal. The time does not depend on where they differ, nor on the length of the expected one.
    static func equal(_ left: String, _ right: String) -> Bool {
        // Equality of digests is constant-time in swift-crypto.
        Crypto.SHA256.hash(data: Array(left.utf8)) == Crypto.SHA256.hash(data: Array(right.utf8))
    }
}
