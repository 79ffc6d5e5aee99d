/// What makes one name look like another, so that one person could speak as another.
enum LookAlikes {
    /// Why a name might be taken for another one.
    enum Fault {
        /// Something that is not seen, or a blank that is no space.
        case invisible
        /// A mark without a letter under it, or too many on one.
        case marks
        /// A letter in disguise: mathematical, full-width, superscript, in a circle.
        case disguised
        /// Letters of several scripts in one word.
        case mixedScripts
    }

    /// So many marks may stand on one letter.
    private static let mostMarks = 4

    /// What is wrong with a name whose only spaces are U+0020; `nil` when nothing is.
    static func fault(in name: String) -> Fault? {
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
            guard marks <= mostMarks, !isMark(scalar) || carriesMarks(previous) else { return .marks }
            // A keycap (1️⃣) is the only thing that an enclosing mark makes of a character in use.
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

    /// Whether U+FE0F makes a picture of the character before it. Anywhere else it is not seen.
    private static func choosesEmoji(_ previous: Unicode.Scalar, _ next: Unicode.Scalar?) -> Bool {
        guard previous.properties.isEmoji else { return false }
        // Digits, # and * are letters unless a keycap follows.
        return !previous.isASCII || next == "\u{20E3}"
    }

    /// Symbols that are drawn as nothing: a Braille cell without dots, a note without a head, the place of an object.
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

    /// Whether the scalar is another form of a letter or digit that there is already.
    private static func isDisguised(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Small capitals and phonetic letters; superscripts and subscripts; letters as symbols; in circles; ligatures;
        // full width; mathematical.
        case 0x2B0...0x2B8, 0x2E0...0x2E4, 0x1D00...0x1DBF, 0x2070...0x209C, 0x2460...0x24FF, 0xFB00...0xFB06,
            0xFF10...0xFF19, 0xFF21...0xFF3A, 0xFF41...0xFF5A, 0x1D400...0x1D7FF:
            true
        case 0x2100...0x214F, 0x1F100...0x1F1E5:
            // Some are in use as pictures (™, ℹ, 🅰), and some are signs (№, ℃).
            !scalar.properties.isEmoji && (scalar.properties.isAlphabetic || scalar.value >= 0x1F100)
        default: false
        }
    }

    // MARK: Names of one script that look like another name

    /// The name with each letter replaced by the one that it is drawn like: names with the same skeleton look the same
    /// in most fonts (UTS #39 §4, the common part of its table).
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
