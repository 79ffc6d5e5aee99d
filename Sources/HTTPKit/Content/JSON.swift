import FoundationEssentials
public import HTTPTypes
package import NIOCore

/// Why a JSON body was not taken: the place in the document and what is wrong there, in the words of JSON
/// (RFC 8259 §3). It names no type of the program.
public struct JSONContentError: ResponseError, Equatable, CustomStringConvertible {
    /// Where in the document: `user.name`, `items[3]`; empty for the document itself. At most `maxPath` bytes of it.
    public let path: String
    /// What is wrong there: `expected a string, found a number`.
    public let reason: String
    /// The status of the response: 400, or 415 for another content type.
    public let status: HTTPResponse.Status
    /// The place as a JSON pointer: `#/items/3/name`. It ends before it has more than `maxPath` bytes.
    public let pointer: String

    /// Place and reason: `items[3].name: expected a string, found a number`.
    public var message: String { "\(path.isEmpty ? "JSON" : path): \(reason)" }

    /// Names the place.
    public var problem: Problem {
        status == .unsupportedMediaType
            ? Problem() : Problem(errors: [FieldProblem(pointer: pointer, detail: reason)])
    }

    /// Place and reason.
    public var description: String { message }

    /// The longest path in an error, in bytes: the keys of a dictionary are the client's.
    public static let maxPath = 256

    package init(path: String, reason: String, status: HTTPResponse.Status = .badRequest) {
        self.path = path
        self.reason = reason
        self.status = status
        pointer = "#"
    }

    /// The place and the reason of a failed decoding of `data`, in words for the sender.
    fileprivate init(_ error: any Error, in data: Data) {
        let place: [any CodingKey]
        switch error {
        case let failure as FieldFailure:
            place = failure.path
            switch failure.reason {
            case .text(let text): reason = text
            case .wanted(let kind): reason = Self.reason(wanted: kind, at: place, in: data)
            }
        case DecodingError.keyNotFound(let key, let context):
            place = context.codingPath + [key]
            reason = "is missing"
        case DecodingError.valueNotFound(let type, let context),
            DecodingError.typeMismatch(let type, let context):
            place = context.codingPath
            reason = Self.reason(wanted: WantedValue.kind(of: type), at: place, in: data)
        case DecodingError.dataCorrupted(let context):
            place = context.codingPath
            switch context.debugDescription {
            case Self.unread: reason = "the text is not JSON"
            case let text where text.contains("ISO8601"):
                reason = Self.reason(wanted: WantedValue.kind(of: Date.self), at: place, in: data)
            default: reason = Self.notAllowed
            }
        default:
            place = []
            reason = Self.notAllowed
        }
        path = Self.path(place)
        pointer = Self.pointer(place)
        status = .badRequest
    }

    /// What Foundation says of a text that is not JSON.
    private static let unread = "The given data was not valid JSON."

    private static let notAllowed = "has a value that is not allowed here"

    private static func reason(wanted: String?, at place: [any CodingKey], in data: Data) -> String {
        guard let found = JSON.kind(at: place, in: data) else { return notAllowed }
        guard let wanted else { return found == "null" ? "must not be null" : notAllowed }
        if wanted == found { return found == "a number" ? "the number is out of range" : notAllowed }
        if wanted.hasPrefix("an integer"), found == "a number" {
            return "expected \(wanted), found another number"
        }
        return "expected \(wanted), found \(found)"
    }

    private static func pointer(_ keys: [any CodingKey]) -> String {
        var room = maxPath
        let names = keys.lazy.map { $0.intValue.map { "\($0)" } ?? $0.stringValue }
        return FieldProblem.pointer(
            to: names.prefix { name in
                room -= name.utf8.count + 1
                return room >= 0
            })
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        var path = ""
        for key in keys {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return LogText.clean(path, limit: maxPath)
    }
}

/// JSON through Foundation's coders, shared: they are made once and not changed afterwards.
package enum JSON {
    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return encoder
    }()

    private static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }()

    /// Encodes a value.
    package static func encode(_ value: some Encodable) throws -> ByteBuffer {
        let data = try encoder.encode(value)
        var buffer = ByteBufferAllocator().buffer(capacity: data.count)
        data.withUnsafeBytes { _ = buffer.writeBytes($0) }
        return buffer
    }

    /// Decodes a value.
    ///
    /// - Throws: `JSONContentError`, which names the field.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from buffer: ByteBuffer
    ) throws(JSONContentError) -> Value {
        let data = Data(buffer.readableBytesView)
        do {
            return try decoder.decode(type, from: data)
        } catch {
            throw JSONContentError(
                FieldFailure.hasNoField(error) ? failure(of: type, in: data) ?? error : error, in: data)
        }
    }

    /// What stands at that place of the document; `nil` when there is none.
    fileprivate static func kind(at place: [any CodingKey], in data: Data) -> String? {
        let decoder = JSONDecoder()
        if let key = FoundValue.place { decoder.userInfo[key] = place.map { FoundValue.Step($0) } }
        return try? decoder.decode(FoundValue.self, from: data).kind
    }

    /// Decodes once more what has failed, for an error that names the field.
    private static func failure<Value: Decodable>(of type: Value.Type, in data: Data) -> (any Error)? {
        do {
            _ = try decoder.decode(Located<Value>.self, from: data)
            return nil
        } catch {
            return error
        }
    }
}

extension Response {
    /// A value as `application/json`; dates are ISO 8601.
    ///
    /// - Throws: `EncodingError`.
    public static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(status: status, fields: jsonFields, body: .bytes(try JSON.encode(value)))
    }

    private static let jsonFields: HTTPFields = [.contentType: "application/json"]
}

extension Request {
    /// The body as a value of `type`, validated if that is `Validatable`.
    ///
    /// The Content-Type must be `application/json`, `text/json`, `application/csp-report`, or have the suffix `+json`
    /// (RFC 6838 §4.2.8). A request without one is taken as JSON.
    ///
    /// - Parameters:
    ///   - limit: The largest body, in bytes; `nil` is the limit of the route or of the server.
    ///   - anyContentType: Whether to decode the body whatever its Content-Type says. A page of another site can send
    ///     `text/plain` without a preflight request: a route that allows it needs another protection against forgery.
    /// - Throws: `JSONContentError` (400, naming the field; 415 for another content type), `ValidationError` (422),
    ///   `HTTPFailure` (415) for a body that is still encoded (`Middleware.decompress` decodes it), and what
    ///   `RequestBody.collect` throws.
    public func json<Value: Decodable>(
        as type: Value.Type, upTo limit: Int? = nil, anyContentType: Bool = false
    ) async throws -> Value {
        try requireDecodedBody()
        if !anyContentType, let text = fields[.contentType], MediaType(parsing: text)?.isJSON != true {
            throw JSONContentError(
                path: "", reason: "the content type is \(text), not application/json",
                status: .unsupportedMediaType)
        }
        return try JSON.decode(type, from: try await body.collect(limit: limit)).validated()
    }
}

extension MediaType {
    /// Whether the content is JSON: by the types that are in use for it, or by the suffix (RFC 6838 §4.2.8).
    fileprivate var isJSON: Bool {
        switch essence {
        case "application/json", "text/json", "application/csp-report": true
        default: subtype.hasSuffix("+json")
        }
    }
}
