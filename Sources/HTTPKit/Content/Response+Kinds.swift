import HTTPTypes

extension Response {
    /// 204 (RFC 9110 §15.3.5).
    public static var noContent: Response { Response(status: .noContent) }

    /// 201 with the location of what was created (RFC 9110 §15.3.2).
    ///
    /// - Parameter location: percent-encoded where it must be, as in `redirect(to:)`.
    public static func created(at location: String) -> Response {
        redirect(to: location, status: .created)
    }

    /// 201 with the location of what was created, and its representation as JSON.
    ///
    /// - Throws: `EncodingError`.
    public static func created(at location: String, _ value: some Encodable) throws -> Response {
        var response = try json(value, status: .created)
        response.fields[.location] = PercentCoding.encodeURI(location)
        return response
    }

    /// 303, by which a browser gets another page after a form was sent (RFC 9110 §15.4.4).
    public static func seeOther(to location: String) -> Response {
        redirect(to: location, status: .seeOther)
    }

    /// This response with a Content-Disposition: whether a browser shows it or saves it, and under which name (RFC 6266).
    public func disposition(_ disposition: ContentDisposition) -> Response {
        var response = self
        response.fields[.contentDisposition] = disposition.fieldValue
        return response
    }

    /// This response with a Cache-Control.
    public func cacheControl(_ cacheControl: CacheControl) -> Response {
        var response = self
        response.fields[.cacheControl] = cacheControl.fieldValue
        return response
    }
}

/// Whether a browser shows a response or saves it (RFC 6266).
public enum ContentDisposition: Sendable, Hashable {
    /// It is shown, and saved under this name if the user wishes.
    case inline(String?)
    /// It is saved under this name.
    case attachment(String?)

    /// `attachment; filename="_bersicht.pdf"; filename*=UTF-8''%C3%9Cbersicht.pdf`.
    ///
    /// Names outside of ASCII are sent in both ways (RFC 6266 §4.3, RFC 8187 §3.2): old clients read the first one, in which
    /// `_` stands for what they cannot read. Of a path only what follows the last slash is sent.
    public var fieldValue: String {
        switch self {
        case .inline(let name): "inline" + Self.parameters(name)
        case .attachment(let name): "attachment" + Self.parameters(name)
        }
    }

    /// The name, if there is one.
    package var name: String? {
        switch self {
        case .inline(let name), .attachment(let name): name
        }
    }

    private static func parameters(_ name: String?) -> String {
        let last = name?.unicodeScalars.split(whereSeparator: { $0 == "/" || $0 == "\\" }).last
        guard let last else { return "" }
        var text = ""
        text.unicodeScalars.append(contentsOf: last.filter { $0.value >= 0x20 && $0.value != 0x7F })
        guard !text.isEmpty else { return "" }
        var plain = ""
        for scalar in text.unicodeScalars {
            // A percent sign would be decoded by some clients.
            let isPlain = scalar.isASCII && scalar != "\"" && scalar != "%"
            plain.unicodeScalars.append(isPlain ? scalar : "_")
        }
        let first = "; filename=\"\(plain)\""
        return plain == text ? first : first + "; filename*=UTF-8''" + PercentCoding.encode(text)
    }
}

/// How caches may use a response (RFC 9111 §5.2.2).
///
/// ```swift
/// .json(news).cacheControl(.public(maxAge: .seconds(60), staleWhileRevalidate: .seconds(600)))
/// ```
public struct CacheControl: Sendable, Hashable {
    /// The value of the field.
    public let fieldValue: String

    private init(_ directives: [String?]) {
        fieldValue = directives.compactMap { $0 }.joined(separator: ", ")
    }

    /// No cache may keep it: for what only this client may see.
    public static let noStore = CacheControl(["no-store"])
    /// Caches ask whether it is still current before each use.
    public static let noCache = CacheControl(["no-cache"])

    /// All caches may use it for `maxAge`.
    ///
    /// - Parameters:
    ///   - sharedMaxAge: The time for caches that many clients share (`s-maxage`).
    ///   - staleWhileRevalidate: How long it may be used after that while the cache asks for another one (RFC 5861 §3).
    ///   - immutable: It never changes (RFC 8246), as files whose names contain their digests.
    public static func `public`(
        maxAge: Duration, sharedMaxAge: Duration? = nil, staleWhileRevalidate: Duration? = nil,
        immutable: Bool = false
    ) -> CacheControl {
        CacheControl([
            "public", seconds("max-age", maxAge), seconds("s-maxage", sharedMaxAge),
            seconds("stale-while-revalidate", staleWhileRevalidate), immutable ? "immutable" : nil,
        ])
    }

    /// Only the client's own cache may use it, for `maxAge`.
    public static func `private`(maxAge: Duration, mustRevalidate: Bool = false) -> CacheControl {
        CacheControl([
            "private", seconds("max-age", maxAge), mustRevalidate ? "must-revalidate" : nil,
        ])
    }

    private static func seconds(_ name: String, _ duration: Duration?) -> String? {
        duration.map { "\(name)=\(max(0, $0.components.seconds))" }
    }
}
