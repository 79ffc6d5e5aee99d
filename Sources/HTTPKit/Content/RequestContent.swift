import HTTPTypes
import NIOCore

/// The query of a request: its items in order, decoded.
///
/// It is read as the URL standard reads it, item by item: a `%` that does not begin an escape stays as it is, and bytes
/// that are not UTF-8 become U+FFFD. So `require("id", as: Int.self)` rejects them by name, and other items are there.
public struct Query: Sendable {
    /// The items, names and values percent-decoded, in the order of the query.
    public let items: NameValueList

    /// The first value of that name.
    public subscript(name: String) -> String? { items[name] }

    /// The first value of that name.
    ///
    /// - Throws: `ParameterError`, answered 400.
    public func require(_ name: String) throws(ParameterError) -> String {
        guard let value = items[name] else { throw ParameterError(.query, name, .missing) }
        return value
    }

    /// The first value of that name as a number or whatever else is made from text.
    ///
    /// - Throws: `ParameterError` naming parameter, value and wanted type, answered 400.
    public func require<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type
    ) throws(ParameterError) -> Value {
        guard let value = try value(name, as: type) else { throw ParameterError(.query, name, .missing) }
        return value
    }

    /// The first value of that name as a number or whatever else is made from text; `nil` when there is none, so that
    /// a parameter with a default is `try query.value("page", as: Int.self) ?? 1`.
    ///
    /// - Throws: `ParameterError` for a value that is there and is not of that type, answered 400.
    public func value<Value: LosslessStringConvertible>(
        _ name: String, as type: Value.Type
    ) throws(ParameterError) -> Value? {
        guard let text = items[name] else { return nil }
        guard let value = Value(text) else {
            throw ParameterError(.query, name, .wrongType(value: text, wanted: WantedValue.name(of: type)))
        }
        return value
    }
}

extension Request {
    /// The query, decoded (WHATWG URL §5.1): `+` is a space.
    ///
    /// - Throws: `FormError` for too many items.
    public var query: Query {
        get throws {
            guard let range = head.query else { return Query(items: NameValueList()) }
            return Query(
                items: try FormURLEncoded.decode(head.buffer.readableBytesUInt8Span.extracting(range)))
        }
    }

    /// The cookies in order (RFC 6265 §4.2), whatever names browsers send; what is not `name=value` is left out.
    public var cookies: NameValueList { fields[.cookie].map { CookieField.parse($0) } ?? NameValueList() }

    /// An urlencoded form's fields in order, decoded as `query` is.
    ///
    /// - Throws: `FormError`, `HTTPFailure` (415) for another content type and for a body that is still encoded
    ///   (`Middleware.decompress` decodes it), and what `RequestBody.collect` throws.
    public func form(upTo limit: Int? = nil) async throws -> NameValueList {
        try requireDecodedBody()
        let text = fields[.contentType] ?? ""
        guard MediaType(parsing: text)?.essence == "application/x-www-form-urlencoded" else {
            throw HTTPFailure(
                .unsupportedMediaType,
                "the content type is \"\(text)\", not application/x-www-form-urlencoded")
        }
        return try FormURLEncoded.decode(try await body.collect(limit: limit))
    }

    /// Reads a multipart form (RFC 7578) as it arrives: `body` is called for each part's beginning, data and end.
    ///
    /// - Throws: `MultipartError`, `HTTPFailure` (415) for a body that is still encoded (`Middleware.decompress` decodes
    ///   it), and what the body throws.
    public func multipart(
        limits: MultipartLimits = MultipartLimits(), _ handle: (MultipartEvent) async throws -> Void
    ) async throws {
        try requireDecodedBody()
        var parser = MultipartParser(
            boundary: try MultipartBoundary(contentType: fields[.contentType]), limits: limits)
        for try await chunk in body {
            try parser.append(chunk)
            while case .event(let event) = try parser.next() { try await handle(event) }
        }
        try parser.finish()
    }
}

extension Response {
    /// An event stream (WHATWG HTML §9.2): `send` is given events until it returns.
    ///
    /// The head is sent at once, before the first event, so an error that `send` throws closes the connection. While no
    /// event is sent, comments keep the connection alive; they also find out when the client is gone: then the task of
    /// `send` is cancelled. When the server begins to drain, the stream ends as a whole response, so that browsers
    /// connect again, and the task of `send` is cancelled.
    ///
    /// - Parameter options: how often comments are sent.
    public static func events(
        _ options: EventStreamOptions = EventStreamOptions(),
        _ send: @escaping @Sendable (EventWriter) async throws -> Void
    ) -> Response {
        let heartbeat = options.heartbeat
        var response = Response.stream(contentType: "text/event-stream") { writer in
            try await writer.exchange.beginEvents(heartbeat: heartbeat, encoder: writer.encoder)
            try await send(EventWriter(writer: writer))
        }
        response.fields[.cacheControl] = "no-cache"
        // nginx would keep events back.
        if let name = HTTPField.Name("X-Accel-Buffering") { response.fields[name] = "no" }
        return response
    }

    /// Adds a Set-Cookie line.
    public mutating func setCookie(_ cookie: SetCookie) {
        fields.append(HTTPField(name: .setCookie, value: cookie.fieldValue))
    }
}

/// How an event stream behaves.
public struct EventStreamOptions: Sendable, Hashable {
    /// How long the stream may be silent before a comment is sent, which readers ignore; looked at about twice a second.
    ///
    /// Comments keep proxies from closing the stream, and find out when the client is gone: one is also sent as soon as
    /// the client closes its side of the connection. `nil` sends none: then `HTTPLimits.halfClosedStreamTimeout` bounds
    /// the stream of a client that has closed its side.
    public var heartbeat: Duration? = .seconds(15)

    /// The defaults: a heartbeat after 15 s.
    public init() {}

    /// The defaults, changed by `configure`.
    public init(_ configure: (inout EventStreamOptions) -> Void) {
        self.init()
        configure(&self)
    }
}

/// Sends server-sent events.
public struct EventWriter: Sendable {
    let writer: ResponseWriter

    /// Sends one event at once.
    public func send(_ event: ServerSentEvent) async throws {
        var buffer = ByteBuffer()
        event.write(into: &buffer)
        try await writer.write(buffer)
    }
}
