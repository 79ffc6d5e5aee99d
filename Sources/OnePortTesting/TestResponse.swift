import HTTPKit
public import HTTPTypes
public import NIOCore

/// A whole answer as a test sees it.
public struct TestResponse: Sendable {
    /// The status.
    public let status: HTTPResponse.Status
    /// The fields.
    public let fields: HTTPFields
    /// The content, without the framing around it.
    public let body: ByteBuffer
    /// The trailer fields behind chunked content.
    public let trailers: HTTPFields?

    /// The content as text.
    public var text: String { String(buffer: body) }

    /// The content as a value of JSON.
    public func json<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSON.decode(type, from: body)
    }

    /// Reads an answer from everything that a connection has brought.
    init(raw: ByteBuffer, isHead: Bool) throws {
        var input = raw
        guard let head = try ResponseDecoder(limits: HTTPLimits()).next(&input) else {
            throw TestClientError.incomplete(String(buffer: raw))
        }
        status = HTTPResponse.Status(code: head.status)
        fields = head.fields
        var content = ByteBuffer()
        var trailers: HTTPFields?
        if isHead || head.status == 204 || head.status == 304 {
            // No content, whatever the fields say (RFC 9112 §6.3).
        } else if head.fields[.transferEncoding]?.lowercased() == "chunked" {
            var decoder = ChunkedDecoder(limits: HTTPLimits())
            var isWhole = false
            while !isWhole {
                switch try decoder.next(&input) {
                case .data(var data): content.writeBuffer(&data)
                case .end(let fields):
                    trailers = fields
                    isWhole = true
                case .needMore: throw TestClientError.incomplete(String(buffer: raw))
                }
            }
        } else if let length = head.fields[.contentLength].flatMap({ Int($0) }) {
            guard let slice = input.readSlice(length: length) else {
                throw TestClientError.incomplete(String(buffer: raw))
            }
            content = slice
        } else {
            content = input
        }
        body = content
        self.trailers = trailers
    }
}
