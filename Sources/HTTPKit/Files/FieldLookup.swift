package import HTTPTypes

/// How a core asks for a request's fields: one at a time, so that a field is found and becomes a `String` only
/// when it decides something.
package protocol FieldLookup: Sendable {
    /// The field's values combined with `, `, or `nil` when the request has none.
    func value(_ name: HTTPField.Name) -> String?

    /// Whether it is known that the request has none of If-Match, If-None-Match, If-Modified-Since,
    /// If-Unmodified-Since and Range. `false` is always right.
    var isUnconditional: Bool { get }
}

extension FieldLookup {
    /// Nothing is known beforehand.
    package var isUnconditional: Bool { false }
}

extension HTTPFields: FieldLookup {
    /// The field's values combined with `, `.
    package func value(_ name: HTTPField.Name) -> String? { self[name] }
}
