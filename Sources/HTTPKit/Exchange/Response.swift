public import HTTPTypes
import NIOCore

/// A response: status, fields, content, and perhaps the change to another protocol.
public struct Response: Sendable {
    /// The status (RFC 9110 §15).
    ///
    /// A response that changes the protocol shows as 101, whatever its carrier sends: 101 for HTTP/1.1, 200 for an extended
    /// CONNECT (RFC 8441). Another status in its place takes the change back.
    public var status: HTTPResponse.Status {
        didSet { if status != .switchingProtocols { upgrade = nil } }
    }
    /// The fields; Content-Length, Transfer-Encoding, Connection and Date are the server's to write.
    public var fields: HTTPFields {
        didSet { preparedFields = nil }
    }
    /// The content.
    public var body: ResponseBody
    /// What the encoder has made of `fields` beforehand; a change of `fields` puts it out of use.
    package var preparedFields: PreparedFields?
    /// What Content-Length would say, for a response to HEAD whose content was not even made; otherwise the length
    /// of the content counts.
    package var declaredLength: Int?
    /// What takes the connection over behind the response.
    package private(set) var upgrade: Upgrade?

    /// A response of `status` with `fields` and `body`.
    public init(status: HTTPResponse.Status = .ok, fields: HTTPFields = [:], body: ResponseBody = .empty) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// A response that hands its connection over when `Upgrade` is still wished for behind all middleware.
    package init(upgrade: Upgrade, fields: HTTPFields) {
        self.init(status: .switchingProtocols, fields: fields)
        self.upgrade = upgrade
    }

    /// Text as `text/plain; charset=utf-8`.
    public static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, fields: textFields, body: .init(storage: .string(text)))
    }

    /// A page as `text/html; charset=utf-8`. `html` is sent as it is: escape what people typed.
    public static func html(_ html: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, fields: htmlFields, body: .init(storage: .string(html)))
    }

    /// A response without content, as for 204 or for a bare status.
    public static func status(_ status: HTTPResponse.Status) -> Response { Response(status: status) }

    /// Content written piece by piece; `length`, where it is known, is sent as Content-Length and kept to.
    ///
    /// Nothing is sent before the first write: an error thrown until then is an ordinary error response. One thrown
    /// later closes the connection, with a reset where nothing else tells, so that the client sees that the content is
    /// not whole (RFC 9112 §8).
    public static func stream(
        status: HTTPResponse.Status = .ok, contentType: String? = nil, length: Int? = nil,
        _ write: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> Response {
        var fields: HTTPFields = [:]
        if let contentType { fields.append(HTTPField(name: .contentType, value: contentType)) }
        return Response(status: status, fields: fields, body: .stream(length: length, write))
    }

    /// 400 with a reason.
    public static func badRequest(_ reason: String = "Bad Request") -> Response {
        text(reason, status: .badRequest)
    }

    /// 404 with a reason.
    public static func notFound(_ reason: String = "Not Found") -> Response {
        text(reason, status: .notFound)
    }

    /// A redirect to `location`: 302, or the status given.
    ///
    /// Characters that no URI may hold (RFC 3986 §2), such as spaces, line ends, quotes and those outside of ASCII, are
    /// percent-encoded as UTF-8; escapes stay as they are. Where the redirect leads is not checked: a location from a
    /// client needs a list of what is allowed.
    public static func redirect(to location: String, status: HTTPResponse.Status = .found) -> Response {
        Response(status: status, fields: [.location: PercentCoding.encodeURI(location)])
    }

    private static let textFields: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
    private static let htmlFields: HTTPFields = [.contentType: "text/html; charset=utf-8"]
}
