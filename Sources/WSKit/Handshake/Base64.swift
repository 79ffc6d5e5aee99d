/// Base64 with padding (RFC 4648 §4), for the handshake's short values.
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The text for `octets`.
    package static func encode(_ octets: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: octets.count, by: 3) {
            let group = octets[start..<min(start + 3, octets.count)]
            let bits = group.reduce(UInt32(0)) { $0 &<< 8 | UInt32($1) } &<< UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let digit = Int(bits &>> UInt32(18 - 6 * index)) & 63
                text.append(index <= group.count ? alphabet[digit] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether `text` is the base64 of 16 octets: 22 digits and two `=` (RFC 6455 §4.1 item 7). The four bits
    /// that the last digit has too many may be anything, as decoders of common servers have it.
    package static func isSixteenOctets(_ text: String) -> Bool {
        let octets = Array(text.utf8)
        return octets.count == 24 && octets.suffix(2).allSatisfy { $0 == UInt8(ascii: "=") }
            && octets.prefix(22).allSatisfy { alphabet.contains($0) }
    }
}
