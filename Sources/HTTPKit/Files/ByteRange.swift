/// What a Range field asks of a representation of known length (RFC 9110 §14).
package enum ByteRange: Equatable, Sendable {
    /// No range applies: answer with the whole (200).
    case whole
    /// Parts, none empty, none overlapping, in the order asked for: 206. One is sent as it is, several as
    /// multipart/byteranges.
    case parts([Range<Int64>])
    /// 416: every range lies behind the end.
    case unsatisfiable

    /// How many ranges a field may list. A field with more is ignored: it is a broken client's or an attack (§14.2).
    /// Overlaps are merged, so whatever is listed costs at most the whole and this many part heads.
    package static let maximumRanges = 64

    /// Reads the field for a representation of `length` octets.
    ///
    /// Another unit and anything malformed, a range whose end lies before its start included, is ignored
    /// (§14.2). A range that begins behind the end is left out when others are satisfiable.
    package init(parsing field: String, length: Int64) {
        guard let specs = ByteRange.specs(field) else {
            self = .whole
            return
        }
        var found: [Range<Int64>] = []
        for spec in specs {
            switch spec {
            case .suffix(let count):
                // A suffix of an empty representation is the whole of it, which no Content-Range can say.
                if count > 0, length == 0 {
                    self = .whole
                    return
                }
                if count > 0 { found.append(max(0, length - count)..<length) }
            case .from(let first, let last):
                guard first < length else { continue }
                found.append(first..<(last < length - 1 ? last + 1 : length))
            }
        }
        guard !found.isEmpty else {
            self = .unsatisfiable
            return
        }
        self = .parts(ByteRange.merged(found))
    }

    private enum Spec {
        case from(Int64, through: Int64)
        case suffix(Int64)
    }

    /// The specifiers of a valid `bytes` field with at most `maximumRanges` of them, otherwise `nil`.
    private static func specs(_ field: String) -> [Spec]? {
        var scanner = FieldScanner(field)
        scanner.skipBlanks()
        guard scanner.token()?.lowercased() == "bytes", scanner.take(UInt8(ascii: "=")) else { return nil }
        var specs: [Spec] = []
        while true {
            scanner.skipBlanks()
            if !scanner.isAtEnd, scanner.peek != UInt8(ascii: ",") {
                guard specs.count < maximumRanges, let spec = spec(&scanner) else { return nil }
                specs.append(spec)
            }
            scanner.skipBlanks()
            if scanner.isAtEnd { return specs.isEmpty ? nil : specs }
            guard scanner.take(UInt8(ascii: ",")) else { return nil }
        }
    }

    private static func spec(_ scanner: inout FieldScanner) -> Spec? {
        let first = number(&scanner)
        guard scanner.take(UInt8(ascii: "-")) else { return nil }
        let last = number(&scanner)
        switch (first, last) {
        case (nil, nil): return nil
        case (nil, let count?): return .suffix(count)
        case (let first?, nil): return .from(first, through: .max)
        case (let first?, let last?): return first <= last ? .from(first, through: last) : nil
        }
    }

    /// Digits; a number too large for 64 bits is as far away as one can be.
    private static func number(_ scanner: inout FieldScanner) -> Int64? {
        let digits = scanner.run(while: \.isDigit)
        return digits.isEmpty ? nil : Int64(digits) ?? .max
    }

    /// Joins ranges that overlap or touch (§15.3.7.2); each result stands where its first range stood.
    private static func merged(_ ranges: [Range<Int64>]) -> [Range<Int64>] {
        var result: [(position: Int, range: Range<Int64>)] = []
        for (position, range) in ranges.enumerated().sorted(by: {
            $0.element.lowerBound < $1.element.lowerBound
        }) {
            if let last = result.last, range.lowerBound <= last.range.upperBound {
                let joined = last.range.lowerBound..<max(last.range.upperBound, range.upperBound)
                result[result.count - 1] = (min(last.position, position), joined)
            } else {
                result.append((position, range))
            }
        }
        return result.sorted { $0.position < $1.position }.map(\.range)
    }
}
