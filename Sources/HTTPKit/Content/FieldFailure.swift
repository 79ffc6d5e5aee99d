import FoundationEssentials

/// A value that was not taken, with the place where it stands.
///
/// Foundation names the field of every failure but one: a number out of the range of its type, or with a fraction where
/// there may be none, fails as if the document were no JSON. What failed so is decoded once more, as `Located`, which
/// says where; what does not fail pays nothing for it.
struct FieldFailure: Error {
    enum Reason {
        /// A text that is meant for clients.
        case text(String)
        /// The value is not of the wanted kind, where that has a name.
        case wanted(String?)
    }

    let path: [any CodingKey]
    let reason: Reason

    /// Whether the decoder has not said which field `error` is about.
    static func hasNoField(_ error: any Error) -> Bool {
        switch error {
        case DecodingError.dataCorrupted(let context): context.codingPath.isEmpty
        case is DecodingError: false
        // What a type's own `init(from:)` has thrown.
        default: true
        }
    }

    /// `error`, where it is one without a field.
    ///
    /// - Parameter path: where it was; it is made once, where the failure is, and not at each level above.
    fileprivate init?(_ error: any Error, at path: @autoclosure () -> [any CodingKey], wanted: Any.Type) {
        guard !(error is FieldFailure), Self.hasNoField(error) else { return nil }
        self.path = path()
        switch error {
        case let error as any ResponseError: reason = .text(error.message)
        default: reason = .wanted(WantedValue.kind(of: wanted))
        }
    }
}

/// A value that fails with its place in the document, as do all values within it.
struct Located<Value: Decodable>: Decodable {
    let value: Value

    init(from decoder: any Decoder) throws {
        do {
            value =
                Self.isTakenWhole
                ? try decoder.singleValueContainer().decode(Value.self)
                : try Value(from: LocatingDecoder(inner: decoder))
        } catch {
            throw FieldFailure(error, at: decoder.codingPath, wanted: Value.self) ?? error
        }
    }

    /// Whether decoders know the type themselves, so that there is nothing within it.
    private static var isTakenWhole: Bool {
        switch Value.self {
        case is any FixedWidthInteger.Type, is Double.Type, is Float.Type, is Bool.Type, is String.Type,
            is Date.Type, is Data.Type, is URL.Type, is Decimal.Type:
            true
        default: false
        }
    }
}

/// Another decoder, whose values are `Located`.
private struct LocatingDecoder: Decoder {
    let inner: any Decoder

    var codingPath: [any CodingKey] { inner.codingPath }
    var userInfo: [CodingUserInfoKey: Any] { inner.userInfo }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(LocatingFields(inner: try inner.container(keyedBy: type)))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        LocatingItems(inner: try inner.unkeyedContainer())
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer {
        LocatingValue(inner: try inner.singleValueContainer())
    }
}

/// The fields of an object. One generic `decode` stands for those of every type.
private struct LocatingFields<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let inner: KeyedDecodingContainer<Key>

    var codingPath: [any CodingKey] { inner.codingPath }
    var allKeys: [Key] { inner.allKeys }

    func contains(_ key: Key) -> Bool { inner.contains(key) }
    func decodeNil(forKey key: Key) throws -> Bool { try inner.decodeNil(forKey: key) }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try inner.decode(Located<Value>.self, forKey: key).value
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        KeyedDecodingContainer(
            LocatingFields<Nested>(inner: try inner.nestedContainer(keyedBy: type, forKey: key)))
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        LocatingItems(inner: try inner.nestedUnkeyedContainer(forKey: key))
    }

    func superDecoder() throws -> any Decoder { LocatingDecoder(inner: try inner.superDecoder()) }
    func superDecoder(forKey key: Key) throws -> any Decoder {
        LocatingDecoder(inner: try inner.superDecoder(forKey: key))
    }
}

/// The items of an array.
private struct LocatingItems: UnkeyedDecodingContainer {
    var inner: any UnkeyedDecodingContainer

    var codingPath: [any CodingKey] { inner.codingPath }
    var count: Int? { inner.count }
    var isAtEnd: Bool { inner.isAtEnd }
    var currentIndex: Int { inner.currentIndex }

    mutating func decodeNil() throws -> Bool { try inner.decodeNil() }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try inner.decode(Located<Value>.self).value
    }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<
        Key
    > {
        KeyedDecodingContainer(LocatingFields(inner: try inner.nestedContainer(keyedBy: type)))
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        LocatingItems(inner: try inner.nestedUnkeyedContainer())
    }

    mutating func superDecoder() throws -> any Decoder { LocatingDecoder(inner: try inner.superDecoder()) }
}

/// A bare value.
private struct LocatingValue: SingleValueDecodingContainer {
    let inner: any SingleValueDecodingContainer

    var codingPath: [any CodingKey] { inner.codingPath }

    func decodeNil() -> Bool { inner.decodeNil() }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try inner.decode(Located<Value>.self).value
    }
}
