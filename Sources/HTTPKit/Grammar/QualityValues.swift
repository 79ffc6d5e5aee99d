/// One element of a negotiation field: its value, its parameters other than `q`, and its weight.
package struct QualityItem: Sendable {
    /// The value in lower case: a media range, a coding or a language range.
    package let value: String
    /// The parameters before the weight, with names in lower case.
    package let parameters: [(name: String, value: String)]
    /// The weight in thousandths, 0 to 1000; 0 is "not acceptable" (RFC 9110 §12.4.2).
    package let quality: Int
}

/// Lists with weights (RFC 9110 §12.4.2, §12.5): what the Accept fields hold.
package enum QualityValues {
    /// How many elements of one field are read; what follows is ignored, as a preference may be.
    package static let maximumElements = 64

    /// The elements in the order of the field. Malformed elements are left out: a preference that cannot be
    /// understood is no reason to refuse the request.
    package static func parse(_ field: String) -> [QualityItem] {
        var scanner = FieldScanner(field)
        var items: [QualityItem] = []
        while !scanner.isAtEnd, items.count < maximumElements {
            scanner.skipBlanks()
            let value = scanner.run { $0.isTokenCharacter || $0 == UInt8(ascii: "/") }.lowercased()
            let parameters = scanner.parameters()
            scanner.skipBlanks()
            if !value.isEmpty, let parameters, scanner.isAtEnd || scanner.peek == UInt8(ascii: ","),
                let item = item(value, parameters)
            {
                items.append(item)
            }
            scanner.skipElement()
        }
        return items
    }

    private static func item(_ value: String, _ parameters: [(name: String, value: String)]) -> QualityItem? {
        guard let weight = parameters.firstIndex(where: { $0.name == "q" }) else {
            return QualityItem(value: value, parameters: parameters, quality: 1000)
        }
        guard let quality = thousandths(parameters[weight].value) else { return nil }
        return QualityItem(value: value, parameters: Array(parameters[..<weight]), quality: quality)
    }

    /// `qvalue` in thousandths: `0` or `1` with at most three decimals, none above 1 (§12.4.2).
    static func thousandths(_ text: String) -> Int? {
        let bytes = Array(text.utf8)
        guard let first = bytes.first, first == UInt8(ascii: "0") || first == UInt8(ascii: "1"),
            bytes.count <= 5,
            bytes.count == 1 || bytes[1] == UInt8(ascii: ".")
        else { return nil }
        var value = 0
        for place in 0..<3 {
            let digit = place + 2 < bytes.count ? bytes[place + 2] : UInt8(ascii: "0")
            guard digit.isDigit else { return nil }
            value = value * 10 + Int(digit &- 0x30)
        }
        if first == UInt8(ascii: "1") { return value == 0 ? 1000 : nil }
        return value
    }
}
