extension Request {
    /// The query as a value: `?tag=a&tag=b&page=2&filter[state]=open`.
    ///
    /// A field is read by the name of the property. `a=1&a=2`, `a[]=1` and `a[0]=1` make arrays, which may be absent,
    /// `user[name]=x` makes nested values. An optional is `nil` when the field is absent or, unless it is a text, empty.
    /// Dates are ISO 8601. The value is validated if its type is `Validatable`.
    ///
    /// - Throws: `FormFieldError` (400), which names the field; `ValidationError` (422); `FormError` for more fields or
    ///   levels than are read.
    public func query<Value: Decodable>(as type: Value.Type) throws -> Value {
        try FormDecoder.decode(type, from: try query.items, place: .query)
    }

    /// An urlencoded form as a value, decoded as `query(as:)` does it.
    ///
    /// - Throws: what `query(as:)` and `form(upTo:)` throw.
    public func form<Value: Decodable>(as type: Value.Type, upTo limit: Int? = nil) async throws -> Value {
        try FormDecoder.decode(type, from: try await form(upTo: limit), place: .form)
    }

    /// The parameters of the path as a value.
    ///
    /// - Throws: `FormFieldError`: 404 if a parameter is not of the wanted type, 500 if the route has none of that name;
    ///   `ParameterError`; `ValidationError` (422).
    public func parameters<Value: Decodable>(as type: Value.Type) throws -> Value {
        let parameters = parameters
        var list = NameValueList()
        for name in parameters.names { list.append(name: name, value: try parameters.require(name)) }
        return try FormDecoder.decode(type, from: list, place: .path)
    }
}
