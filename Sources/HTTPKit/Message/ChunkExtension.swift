/// `chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )` (RFC 9112 §7.1.1), read octet by octet.
///
/// What an extension says is of no use here; that it is one is checked, since a line that two readers end at
/// different places is how requests are smuggled.
enum ChunkExtension: Sendable {
    /// White space; a ";" must follow.
    case blank
    case beforeName, name
    /// White space after a name; "=" or ";" must follow.
    case afterName
    case beforeValue, value
    case quoted, quotedPair, quotedEnd

    /// Begins with the first octet after the chunk's size, or after the white space there; `nil` for none.
    init?(first byte: UInt8) {
        guard byte == 0x3B || byte.isBlank else { return nil }
        self = byte == 0x3B ? .beforeName : .blank
    }

    /// Whether the line may end here.
    var mayEnd: Bool {
        switch self {
        case .name, .value, .quotedEnd: true
        default: false
        }
    }

    /// Takes one octet that does not end the line; `false` when the grammar has no place for it.
    mutating func take(_ byte: UInt8) -> Bool {
        guard let next = after(byte) else { return false }
        self = next
        return true
    }

    private func after(_ byte: UInt8) -> ChunkExtension? {
        switch self {
        case .blank: byte == 0x3B ? .beforeName : byte.isBlank ? .blank : nil
        case .beforeName: byte.isTokenCharacter ? .name : byte.isBlank ? .beforeName : nil
        case .name: byte.isTokenCharacter ? .name : afterName(byte)
        case .afterName: afterName(byte)
        case .beforeValue:
            byte.isTokenCharacter ? .value : byte == 0x22 ? .quoted : byte.isBlank ? .beforeValue : nil
        case .value: byte.isTokenCharacter ? .value : ChunkExtension(first: byte)
        case .quoted: byte == 0x22 ? .quotedEnd : byte == 0x5C ? .quotedPair : isText(byte) ? .quoted : nil
        case .quotedPair: isText(byte) ? .quoted : nil
        case .quotedEnd: ChunkExtension(first: byte)
        }
    }

    private func afterName(_ byte: UInt8) -> ChunkExtension? {
        switch byte {
        case 0x3D: .beforeValue
        case 0x3B: .beforeName
        default: byte.isBlank ? .afterName : nil
        }
    }

    /// HTAB / SP / VCHAR / obs-text: what a quoted-string is made of (RFC 9110 §5.6.4).
    private func isText(_ byte: UInt8) -> Bool { byte.isVisible || byte.isBlank || byte >= 0x80 }
}
