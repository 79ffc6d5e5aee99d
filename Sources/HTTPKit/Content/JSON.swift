import FoundationEssentials
public import HTTPTypes
package import NIOCore

/// Why a JSON content was not taken; it names the field (RFC 8259).
public struct JSONContentError: ResponseError, Equatable, CustomStringConvertible {
    /// Where in the document: `user.name`, `items[3]`; empty for the document itself.
    public let path: String
    /// What is wrong there.
    public let reason: String
    /// The answer: 400, or 415 for another content type.
    public let status: HTTPResponse.Status

    /// Field and reason.
    public var message: String { path.isEmpty ? "JSON: \(reason)" : "JSON field \"\(path)\": \(reason)" }

    /// Field and reason.
    public var description: String { message }

    package init(path: String, reason: String, status: HTTPResponse.Status = .badRequest) {
        self.path = path
        self.reason = reason
        self.status = status
    }

    /// The field and the reason of a failed decoding, in words for the sender.
    fileprivate init(_ error: any Error) {
        switch error {
        case let failure as FieldFailure:
            self.init(path: Self.path(failure.path), reason: failure.reason)
        case DecodingError.keyNotFound(let key, let context):
            self.init(path: Self.path(context.codingPath + [key]), reason: "is missing")
        case DecodingError.valueNotFound(let type, let context):
            self.init(path: Self.path(context.codingPath), reason: "is null; wanted \(type)")
        case DecodingError.typeMismatch(let type, let context):
            self.init(path: Self.path(context.codingPath), reason: "has another type; wanted \(type)")
        case DecodingError.dataCorrupted(let context):
            let isUnread = context.debugDescription == Self.unread
            self.init(
                path: Self.path(context.codingPath),
                reason: isUnread ? "the text is not JSON" : context.debugDescription)
        default:
            self.init(path: "", reason: "the text does not fit")
        }
    }

    /// What Foundation says of a text that is not JSON.
    private static let unread = "The given data was not valid JSON."

    private static func path(_ keys: [any CodingKey]) -> String {
        var path = ""
        for key in keys {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += (path.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return path
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
                FieldFailure.hasNoField(error) ? failure(of: type, in: data) ?? error : error)
        }
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
    /// The content as a value of `type`.
    ///
    /// - Throws: `JSONContentError` (400, naming the field; 415 for another content type), and what
    ///   `RequestBody.collect` throws.
    public func json<Value: Decodable>(as type: Value.Type, upTo limit: Int? = nil) async throws -> Value {
        if let text = fields[.contentType] {
            let media = MediaType(parsing: text)
            guard media?.essence == "application/json" || media?.subtype.hasSuffix("+json") == true else {
                throw JSONContentError(
                    path: "", reason: "the content type is \(text), not application/json",
                    status: .unsupportedMediaType)
            }
        }
        return try JSON.decode(type, from: try await body.collect(limit: limit))
    }
}
