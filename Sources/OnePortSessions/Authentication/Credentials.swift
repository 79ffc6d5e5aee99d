import FoundationEssentials
import HTTPKit

/// The credentials of an Authorization field (RFC 9110 §11.4).
enum Credentials {
    /// The longest field that is read, in bytes.
    static let maxLength = 8 << 10

    /// What follows the scheme; `nil` if the field has another scheme.
    static func value(_ field: String, scheme: String) -> String? {
        let bytes = field.utf8
        guard bytes.count <= maxLength, let space = bytes.firstIndex(of: UInt8(ascii: " ")),
            String(field[..<space]).lowercased() == scheme
        else { return nil }
        let value = field[space...].drop { $0 == " " }
        return value.isEmpty ? nil : String(value)
    }

    /// A bearer token (RFC 6750 §2.1): `b64token`.
    static func bearer(_ field: String) -> String? {
        guard let token = value(field, scheme: "bearer") else { return nil }
        let isToken = token.utf8.allSatisfy { $0.isAlpha || $0.isDigit || "-._~+/=".utf8.contains($0) }
        return isToken ? token : nil
    }

    /// User and password (RFC 7617 §2): base64 of UTF-8, split at the first colon. Neither may have control characters.
    static func basic(_ field: String) -> (user: String, password: String)? {
        guard let value = value(field, scheme: "basic"), let data = Data(base64Encoded: value),
            let text = String(validating: data, as: UTF8.self),
            !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }),
            let colon = text.utf8.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        return (String(text[..<colon]), String(text[text.utf8.index(after: colon)...]))
    }
}

extension String {
    /// The text as a quoted-string (RFC 9110 §5.6.4), without what it cannot contain.
    var quoted: String {
        let escaped = unicodeScalars.reduce(into: "") { text, scalar in
            guard scalar.isASCII, scalar.value >= 0x20, scalar.value != 0x7F else { return }
            if scalar == "\"" || scalar == "\\" { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        return "\"\(escaped)\""
    }
}
