/// Detects names that look like other names, so that nobody can impersonate somebody else.
enum LookAlikes {
    /// Why a name could be mistaken for another one.
    enum Problem {
        /// The name contains invisible characters, or blanks other than U+0020.
        case invisible
        /// The name contains a combining mark without a base letter, or too many marks on one letter.
        case marks
        /// The name contains a letter in a special form: mathematical, full-width, superscript or circled.
        case disguised
        /// A word contains letters of several scripts.
        case mixedScripts
    }

    /// The most combining marks on one letter.
    private static let maxMarks = 4

    /// The first problem of a name, or `nil` if it has none.
    static func problem(in name: String) -> Problem? {
        let scalars = Array(name.unicodeScalars)
        var scripts: Set<Script> = []
        var marks = 0
        for (index, scalar) in scalars.enumerated() {
            if scalar == " " {
                (scripts, marks) = ([], 0)
                continue
            }
            let next = index + 1 < scalars.count ? scalars[index + 1] : nil
            let previous = index > 0 ? scalars[index - 1] : " "
            guard isVisible(scalar, after: previous, before: next) else { return .invisible }
            guard !isDisguised(scalar) else { return .disguised }
            marks = isMark(scalar) ? marks + 1 : 0
            guard marks <= maxMarks, !isMark(scalar) || carriesMarks(previous) else { return .marks }
            // The only enclosing mark in common use is the keycap (1️⃣).
            guard scalar.properties.generalCategory != .enclosingMark || isKeycap(scalars[..<index], scalar)
            else {
                return .marks
            }
            if let script = Script(scalar) { scripts.insert(script) }
            guard Script.mayMix(scripts) else { return .mixedScripts }
        }
        return nil
    }

    private static func isVisible(
        _ scalar: Unicode.Scalar, after previous: Unicode.Scalar, before next: Unicode.Scalar?
    ) -> Bool {
        if scalar == "\u{FE0F}" { return choosesEmoji(previous, next) }
        guard !scalar.properties.isDefaultIgnorableCodePoint, !blanks.contains(scalar) else { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    /// Whether U+FE0F selects the emoji form of the character before it. Elsewhere it is invisible.
    private static func choosesEmoji(_ previous: Unicode.Scalar, _ next: Unicode.Scalar?) -> Bool {
        guard previous.properties.isEmoji else { return false }
        // Digits, # and * are emoji only if a keycap follows.
        return !previous.isASCII || next == "\u{20E3}"
    }

    /// Symbols without a visible glyph: the empty Braille pattern, the null notehead, the object replacement character.
    private static let blanks: Set<Unicode.Scalar> = ["\u{2800}", "\u{1D159}", "\u{FFFC}"]

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar != "\u{FE0F}" else { return false }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return true
        default: return false
        }
    }

    private static func carriesMarks(_ scalar: Unicode.Scalar) -> Bool { scalar != " " }

    private static func isKeycap(_ before: ArraySlice<Unicode.Scalar>, _ mark: Unicode.Scalar) -> Bool {
        guard mark == "\u{20E3}", let base = before.last(where: { $0 != "\u{FE0F}" }) else { return false }
        return base.isASCII && base.properties.isEmoji
    }

    /// Whether the scalar is a special form of an ordinary letter or digit.
    private static func isDisguised(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Modifier letters and phonetic letters; superscripts and subscripts; circled letters; ligatures; full-width
        // letters; mathematical letters.
        case 0x2B0...0x2B8, 0x2E0...0x2E4, 0x1D00...0x1DBF, 0x2070...0x209C, 0x2460...0x24FF, 0xFB00...0xFB06,
            0xFF10...0xFF19, 0xFF21...0xFF3A, 0xFF41...0xFF5A, 0x1D400...0x1D7FF:
            true
        case 0x2100...0x214F, 0x1F100...0x1F1E5:
            // Some of these are emoji (™, ℹ, 🅰) and some are signs (№, ℃). Both are allowed.
            !scalar.properties.isEmoji && (scalar.properties.isAlphabetic || scalar.value >= 0x1F100)
        default: false
        }
    }

    // MARK: Names in one script that look like names in another

    /// The name with each letter replaced by the letter that it looks like. Names with the same skeleton look the same
    /// in most fonts (UTS #39 §4, with the common part of its table).
    static func skeleton(of name: String) -> String {
        var skeleton = String.UnicodeScalarView()
        for scalar in name.unicodeScalars where scalar != "\u{FE0F}" {
            skeleton.append(table[scalar] ?? scalar)
        }
        return String(skeleton)
    }

    private static let table: [Unicode.Scalar: Unicode.Scalar] = {
        let pairs: [(from: String, to: String)] = [
            ("I1|ıɩɑɡ0", "llliiagO"),
            // Cyrillic.
            ("АВЕЅІЈКМНОРСТУХЁЇӀԌԚԜ", "ABESlJKMHOPCTYXËÏlGQW"),
            ("аеѕіјкорсухёїһԁԛԝӏь", "aesijkopcyxëïhdqwlb"),
            // Greek.
            ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHlKMNOPTYX"), ("αικνορυϲϳ", "aiknopucj"),
            // Armenian.
            ("օոսհցզՕՏ", "onuhgqOS"),
            // Cherokee.
            ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᏀᏃᏙᏚᏞᏟᏢᏦᏴ", "DRTAJEWMHGZVSLCPKB"),
        ]
        var table: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (from, to) in pairs {
            for (from, to) in zip(from.unicodeScalars, to.unicodeScalars) where from != to {
                table[from] = to
            }
        }
        return table
    }()
}
