import FoundationEssentials

/// Makes `Decodable` values of a `FormNode`.
struct FormDecoder: Decoder {
    let node: FormNode
    let place: FormFieldError.Place
    var codingPath: [any CodingKey] = []
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// - Throws: `FormFieldError`, which names the field; a `ResponseError` of the type's own.
    static func decode<Value: Decodable>(
        _ type: Value.Type, from list: NameValueList, place: FormFieldError.Place
    ) throws -> Value {
        let decoder = FormDecoder(node: try FormNode.tree(of: list), place: place)
        return try Value(from: decoder).validated()
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(FormFields<Key>(decoder: self))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer { FormItems(decoder: self, nodes: node.items) }

    func singleValueContainer() -> any SingleValueDecodingContainer { FormValue(decoder: self) }

    func child(_ key: any CodingKey, _ node: FormNode) -> FormDecoder {
        FormDecoder(node: node, place: place, codingPath: codingPath + [key])
    }

    func failure(_ reason: FormFieldError.Reason) -> FormFieldError {
        FormFieldError(place, path: codingPath, reason)
    }

    /// The value of this node.
    func value<Value: Decodable>(_ type: Value.Type) throws -> Value {
        guard FormScalar.isScalar(type) else {
            do {
                return try Value(from: self)
            } catch let error as DecodingError {
                // An enumeration's raw value, or a check of the type's own.
                throw failure(node.values.first.map { .notAllowed(value: $0) } ?? .missing(error.missingKey))
            }
        }
        guard let text = node.values.first else { throw failure(.missing(nil)) }
        guard let value = FormScalar.parse(text, as: type) as? Value else {
            throw failure(.wrongType(value: text, wanted: WantedValue.name(of: type)))
        }
        return value
    }
}

extension DecodingError {
    fileprivate var missingKey: String? {
        if case .keyNotFound(let key, _) = self { return key.stringValue }
        return nil
    }
}

/// Types that one text makes.
private enum FormScalar {
    static func isScalar(_ type: any Any.Type) -> Bool {
        switch type {
        case is any FixedWidthInteger.Type, is any BinaryFloatingPoint.Type, is Bool.Type, is String.Type,
            is Date.Type, is URL.Type, is UUID.Type, is Decimal.Type:
            true
        default: false
        }
    }

    static func parse(_ text: String, as type: any Any.Type) -> Any? {
        switch type {
        case is String.Type: text
        case let type as any FixedWidthInteger.Type: integer(text, type)
        case is Double.Type: Double(text)
        case is Float.Type: Float(text)
        case is Bool.Type: boolean(text)
        case is Date.Type: date(text)
        case is URL.Type: URL(string: text)
        case is UUID.Type: UUID(uuidString: text)
        case is Decimal.Type: Decimal(string: text)
        default: nil
        }
    }

    private static func integer<Value: FixedWidthInteger>(_ text: String, _ type: Value.Type) -> Value? {
        Value(text)
    }

    /// `on` is what browsers send for a checkbox.
    private static func boolean(_ text: String) -> Bool? {
        switch text {
        case "true", "1", "on": true
        case "false", "0", "off": false
        default: nil
        }
    }

    /// A date, or a date with a time and a zone.
    private static func date(_ text: String) -> Date? {
        let styles: [Date.ISO8601FormatStyle] = [
            .iso8601, Date.ISO8601FormatStyle(includingFractionalSeconds: true),
            .iso8601.year().month().day(),
        ]
        for style in styles { if let date = try? Date(text, strategy: style) { return date } }
        return nil
    }
}

private struct FormFields<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: FormDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { decoder.node.names.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { decoder.node.children[key.stringValue] != nil }

    /// An empty text field is sent as an empty text, which is no number and no date.
    func decodeNil(forKey key: Key) -> Bool {
        guard let node = decoder.node.children[key.stringValue] else { return true }
        return node.children.isEmpty && node.values == [""]
    }

    func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? {
        contains(key) ? try decode(type, forKey: key) : nil
    }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        // A list of which nothing was chosen is not sent.
        let node =
            decoder.node.children[key.stringValue] ?? (WantedValue.isList(type) ? FormNode() : nil)
        guard let node else { throw decoder.child(key, FormNode()).failure(.missing(nil)) }
        return try decoder.child(key, node).value(type)
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> { nested(key).container(keyedBy: type) }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }
    func superDecoder(forKey key: Key) throws -> any Decoder { nested(key) }

    private func nested(_ key: Key) -> FormDecoder {
        decoder.child(key, decoder.node.children[key.stringValue] ?? FormNode())
    }
}

private struct FormItems: UnkeyedDecodingContainer {
    let decoder: FormDecoder
    let nodes: [FormNode]
    private(set) var currentIndex = 0

    init(decoder: FormDecoder, nodes: [FormNode]) {
        self.decoder = decoder
        self.nodes = nodes
    }

    private struct Index: CodingKey {
        let number: Int
        var stringValue: String { "\(number)" }
        var intValue: Int? { number }
        init(_ number: Int) { self.number = number }
        init?(stringValue: String) { nil }
        init?(intValue: Int) { number = intValue }
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { nodes.count }
    var isAtEnd: Bool { currentIndex >= nodes.count }

    private mutating func next() throws -> FormDecoder {
        guard !isAtEnd else { throw decoder.child(Index(currentIndex), FormNode()).failure(.missing(nil)) }
        defer { currentIndex += 1 }
        return decoder.child(Index(currentIndex), nodes[currentIndex])
    }

    mutating func decodeNil() -> Bool { false }
    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().value(type) }

    mutating func nestedContainer<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> { try next().container(keyedBy: type) }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try next().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try next() }
}

private struct FormValue: SingleValueDecodingContainer {
    let decoder: FormDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }
    func decodeNil() -> Bool { decoder.node.isEmpty }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.value(type) }
}
