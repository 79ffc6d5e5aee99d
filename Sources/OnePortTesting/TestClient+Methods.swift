import HTTPKit
public import HTTPTypes
public import NIOCore

extension TestClient {
    /// This client with cookies of its own: what responses set is sent with later requests, as a browser does it.
    ///
    /// ```swift
    /// let ann = client.keepingCookies()
    /// _ = try await ann.post("/login", form: ["name": "ann"])
    /// #expect(try await ann.get("/me").text == "ann")
    /// ```
    public func keepingCookies() -> TestClient {
        var client = self
        client.cookies = TestCookies()
        return client
    }

    /// Sends a POST request with an urlencoded form, in the order of the literal.
    public func post(
        _ target: String, fields: HTTPFields = [:], form: KeyValuePairs<String, String>
    ) async throws -> TestResponse {
        var fields = fields
        fields[.contentType] = "application/x-www-form-urlencoded"
        let text = FormURLEncoded.encode(form.map { NameValueList.Item(name: $0.key, value: $0.value) })
        return try await request(.post, target, fields: fields, body: ByteBuffer(string: text))
    }

    /// Sends a PUT request with a body.
    public func put(_ target: String, fields: HTTPFields = [:], body: ByteBuffer) async throws -> TestResponse
    {
        try await request(.put, target, fields: fields, body: body)
    }

    /// Sends a PUT request with a value as JSON.
    public func put(
        _ target: String, fields: HTTPFields = [:], json: some Encodable
    ) async throws -> TestResponse {
        try await request(.put, target, fields: fields, json: json)
    }

    /// Sends a PATCH request with a value as JSON.
    public func patch(
        _ target: String, fields: HTTPFields = [:], json: some Encodable
    ) async throws -> TestResponse {
        try await request(.patch, target, fields: fields, json: json)
    }

    /// Sends a DELETE request.
    public func delete(_ target: String, fields: HTTPFields = [:]) async throws -> TestResponse {
        try await request(.delete, target, fields: fields)
    }

    func request(
        _ method: HTTPRequest.Method, _ target: String, fields: HTTPFields, json: some Encodable
    ) async throws -> TestResponse {
        var fields = fields
        fields[.contentType] = "application/json"
        return try await request(method, target, fields: fields, body: try JSON.encode(json))
    }
}
