import FoundationEssentials

/// What clients are told about the type of a value that was wanted. They know JSON and text, and nothing of Swift: the
/// name of a type of the program's own is not for them.
enum WantedValue {
    /// `an integer`, `a string`, `an object`; `nil` for a type that has no such name.
    static func kind(of type: any Any.Type) -> String? {
        switch type {
        case is Bool.Type: "a boolean"
        case is String.Type, is Character.Type: "a string"
        case is Date.Type: "a date in the form of ISO 8601"
        case is URL.Type: "a URL"
        case is UUID.Type: "a UUID"
        case is Data.Type: "base64"
        case is Double.Type, is Float.Type, is Decimal.Type: "a number"
        case let type as any FixedWidthInteger.Type: integer(type)
        case let type as any WrappedValue.Type: kind(of: type.wrapped)
        case is any ArrayValue.Type: "an array"
        case is any ObjectValue.Type: "an object"
        default: nil
        }
    }

    /// Whether it is an array or a set.
    static func isList(_ type: any Any.Type) -> Bool { type is any ArrayValue.Type }

    /// What a text was to be.
    static func name(of type: any Any.Type) -> String {
        switch type {
        case is Bool.Type: "true or false"
        default: kind(of: type) ?? "of the wanted form"
        }
    }

    private static func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> String {
        Value.bitWidth >= 64 && Value.isSigned ? "an integer" : "an integer from \(Value.min) to \(Value.max)"
    }
}

private protocol WrappedValue { static var wrapped: any Any.Type { get } }
extension Optional: WrappedValue { static var wrapped: any Any.Type { Wrapped.self } }

private protocol ArrayValue {}
extension Array: ArrayValue {}
extension Set: ArrayValue {}

private protocol ObjectValue {}
extension Dictionary: ObjectValue {}

/// What stands at a place of a JSON document, by the names of RFC 8259 §3.
///
/// Decoding again as far as that place finds it; only failures pay for it.
struct FoundValue: Decodable {
    let kind: String

    /// Where to look, for `JSONDecoder.userInfo`: `[Step]`.
    static let place = CodingUserInfoKey(rawValue: "place")

    /// One step into a document.
    enum Step: Sendable {
        case index(Int)
        case name(String)

        init(_ key: any CodingKey) {
            self = key.intValue.map { .index($0) } ?? .name(key.stringValue)
        }
    }

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Any value, not looked at.
    private struct Skipped: Decodable {
        init(from decoder: any Decoder) {}
    }

    init(from decoder: any Decoder) throws {
        var decoder = decoder
        let keys = Self.place.flatMap { decoder.userInfo[$0] as? [Step] } ?? []
        for key in keys {
            switch key {
            case .index(let index):
                var items = try decoder.unkeyedContainer()
                while items.currentIndex < index { _ = try items.decode(Skipped.self) }
                decoder = try items.superDecoder()
            case .name(let name):
                let fields = try decoder.container(keyedBy: Key.self)
                decoder = try fields.superDecoder(forKey: Key(stringValue: name))
            }
        }
        kind = try Self.kind(in: decoder)
    }

    private static func kind(in decoder: any Decoder) throws -> String {
        if (try? decoder.container(keyedBy: Key.self)) != nil { return "an object" }
        if (try? decoder.unkeyedContainer()) != nil { return "an array" }
        let value = try decoder.singleValueContainer()
        if value.decodeNil() { return "null" }
        if (try? value.decode(Bool.self)) != nil { return "a boolean" }
        if (try? value.decode(String.self)) != nil { return "a string" }
        _ = try value.decode(Double.self)
        return "a number"
    }
}
