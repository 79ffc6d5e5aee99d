/// The script of a letter, as far as it matters for names that look alike (UTS #39 §5).
enum Script: Hashable, Sendable, CaseIterable {
    case latin, greek, cyrillic, armenian, hebrew, arabic, syriac, thaana, nko
    case devanagari, bengali, gurmukhi, gujarati, oriya, tamil, telugu, kannada, malayalam, sinhala
    case thai, lao, tibetan, myanmar, georgian, hangul, ethiopic, cherokee, canadian, khmer, mongolian
    case hiragana, katakana, bopomofo, han, yi
    /// Any other script. These may be mixed with each other, but not with the listed ones.
    case other

    /// The script of a letter, digit or mark. It is `nil` for characters that all scripts share: ASCII digits, marks
    /// that combine with any letter, punctuation, symbols and emoji.
    init?(_ scalar: Unicode.Scalar) {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .otherLetter, .modifierLetter,
            .decimalNumber,
            .letterNumber, .spacingMark, .nonspacingMark:
            break
        default: return nil
        }
        if let range = Self.ranges.first(where: { $0.values.contains(scalar.value) }) {
            self = range.script
            return
        }
        switch scalar.properties.generalCategory {
        // Modifier letters such as apostrophes and tone letters (U+02B0-02FF), and accents, are used with every script.
        case .modifierLetter where scalar.value < 0x300: return nil
        case .nonspacingMark, .spacingMark: return nil
        case .decimalNumber where scalar.isASCII: return nil
        default: self = .other
        }
    }

    /// Whether one word may mix these scripts: a single script, or the scripts of Japanese, Chinese or Korean with Latin
    /// (UTS #39 §5.2, "highly restrictive").
    static func mayMix(_ scripts: Set<Script>) -> Bool {
        scripts.count <= 1 || mixtures.contains { scripts.isSubset(of: $0) }
    }

    private static let mixtures: [Set<Script>] = [
        [.latin, .han, .hiragana, .katakana], [.latin, .han, .bopomofo], [.latin, .han, .hangul],
    ]

    private static let ranges: [(values: ClosedRange<UInt32>, script: Script)] = [
        (0x41...0x5A, .latin), (0x61...0x7A, .latin), (0xAA...0xAA, .latin), (0xB5...0xB5, .greek),
        (0xBA...0xBA, .latin), (0xC0...0x2AF, .latin), (0x370...0x3FF, .greek), (0x400...0x52F, .cyrillic),
        (0x531...0x58F, .armenian), (0x591...0x5FF, .hebrew), (0x600...0x6FF, .arabic),
        (0x700...0x74F, .syriac),
        (0x750...0x77F, .arabic), (0x780...0x7BF, .thaana), (0x7C0...0x7FF, .nko), (0x860...0x86F, .syriac),
        (0x870...0x8FF, .arabic), (0x900...0x97F, .devanagari), (0x980...0x9FF, .bengali),
        (0xA00...0xA7F, .gurmukhi), (0xA80...0xAFF, .gujarati), (0xB00...0xB7F, .oriya),
        (0xB80...0xBFF, .tamil),
        (0xC00...0xC7F, .telugu), (0xC80...0xCFF, .kannada), (0xD00...0xD7F, .malayalam),
        (0xD80...0xDFF, .sinhala), (0xE00...0xE7F, .thai), (0xE80...0xEFF, .lao), (0xF00...0xFFF, .tibetan),
        (0x1000...0x109F, .myanmar), (0x10A0...0x10FF, .georgian), (0x1100...0x11FF, .hangul),
        (0x1200...0x139F, .ethiopic), (0x13A0...0x13FF, .cherokee), (0x1400...0x167F, .canadian),
        (0x1780...0x17FF, .khmer), (0x1800...0x18AF, .mongolian), (0x18B0...0x18FF, .canadian),
        (0x1C80...0x1C8F, .cyrillic), (0x1C90...0x1CBF, .georgian), (0x1E00...0x1EFF, .latin),
        (0x1F00...0x1FFF, .greek), (0x2C60...0x2C7F, .latin), (0x2D00...0x2D2F, .georgian),
        (0x2D80...0x2DDF, .ethiopic), (0x2DE0...0x2DFF, .cyrillic), (0x2E80...0x2FDF, .han),
        (0x3005...0x3007, .han),
        (0x3021...0x3029, .han), (0x3038...0x303B, .han), (0x3041...0x3096, .hiragana),
        (0x309D...0x309F, .hiragana), (0x30A1...0x30FF, .katakana), (0x3100...0x312F, .bopomofo),
        (0x3130...0x318F, .hangul), (0x31A0...0x31BF, .bopomofo), (0x31F0...0x31FF, .katakana),
        (0x3400...0x4DBF, .han), (0x4E00...0x9FFF, .han), (0xA000...0xA4CF, .yi),
        (0xA640...0xA69F, .cyrillic),
        (0xA720...0xA7FF, .latin), (0xA8E0...0xA8FF, .devanagari), (0xA960...0xA97F, .hangul),
        (0xA9E0...0xA9FF, .myanmar), (0xAA60...0xAA7F, .myanmar), (0xAB00...0xAB2F, .ethiopic),
        (0xAB30...0xAB6F, .latin), (0xAB70...0xABBF, .cherokee), (0xAC00...0xD7FF, .hangul),
        (0xF900...0xFAFF, .han),
        (0xFB13...0xFB17, .armenian), (0xFB1D...0xFB4F, .hebrew), (0xFB50...0xFDFF, .arabic),
        (0xFE70...0xFEFE, .arabic), (0xFF66...0xFF9F, .katakana), (0xFFA1...0xFFDC, .hangul),
        (0x1B000...0x1B16F, .katakana), (0x20000...0x3FFFF, .han),
    ]
}
