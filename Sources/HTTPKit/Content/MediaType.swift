/// A media type with its parameters (RFC 9110 §8.3.1), as in Content-Type.
public struct MediaType: Sendable, Hashable, CustomStringConvertible {
    /// One parameter; its name is in lower case, its value as it came without quotes.
    public struct Parameter: Sendable, Hashable {
        /// The name in lower case.
        public let name: String
        /// The value without quotes.
        public let value: String
    }

    /// The type in lower case, `text`.
    public let type: String
    /// The subtype in lower case, `html`.
    public let subtype: String
    /// The parameters in order.
    public let parameters: [Parameter]

    /// Reads a field value; `nil` when it is not a media type.
    ///
    /// White space around `;` and `=` is allowed, as are values without quotes that hold one of `/ : = ? ( ) @`: clients
    /// send both. A media type has at most 64 parameters.
    public init?(parsing value: String) {
        var scanner = FieldScanner(value)
        scanner.skipBlanks()
        guard let type = scanner.token(), scanner.take(UInt8(ascii: "/")), let subtype = scanner.token(),
            let parameters = scanner.parameters(.lenient), scanner.isAtEnd
        else { return nil }
        self.type = type.lowercased()
        self.subtype = subtype.lowercased()
        self.parameters = parameters.map { Parameter(name: $0.name, value: $0.value) }
    }

    /// `type/subtype` in lower case, without parameters.
    public var essence: String { "\(type)/\(subtype)" }

    /// The `charset` parameter in lower case.
    public var charset: String? { self["charset"]?.lowercased() }

    /// The first parameter of that name, given in lower case.
    public subscript(name: String) -> String? {
        parameters.first { $0.name == name }?.value
    }

    /// The field value, with quotes where a parameter needs them.
    public var description: String {
        parameters.reduce(into: essence) { text, parameter in
            text += "; \(parameter.name)=\(QuotedString.encodeUnlessToken(parameter.value))"
        }
    }
}
