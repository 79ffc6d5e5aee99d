/// The value of a parameter whose name ends in `*` (RFC 8187 §3.2): `UTF-8'en'%e2%82%ac%20rates`.
enum ExtendedValue {
    /// The decoded text; `nil` when it is malformed, not in its charset, or in a charset other than UTF-8 and
    /// ISO-8859-1, which RFC 5987 had beside it.
    static func decode(_ value: String) -> String? {
        let parts = value.utf8.split(
            separator: UInt8(ascii: "'"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let text = String(Substring(parts[2]))
        guard let bytes = try? PercentCoding.decode(text.utf8.span) else { return nil }
        switch String(Substring(parts[0])).lowercased() {
        case "utf-8": return String(validating: bytes, as: UTF8.self)
        case "iso-8859-1": return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        default: return nil
        }
    }
}
