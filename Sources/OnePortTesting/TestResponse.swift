import HTTPKit
public import HTTPTypes
public import NIOCore

/// A complete response.
public struct TestResponse: Sendable {
    /// The status.
    public let status: HTTPResponse.Status
    /// The headers.
    public let fields: HTTPFields
    /// The body, without chunked framing.
    public let body: ByteBuffer
    /// The trailers of a chunked body.
    public let trailers: HTTPFields?

    /// The body as text. Invalid UTF-8 becomes U+FFFD.
    public var text: String { String(buffer: body) }

    /// Decodes the body as JSON.
    public func json<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSON.decode(type, from: body)
    }

    /// Parses the response to a request from everything that the server sent.
    init(raw: ByteBuffer, answering method: HTTPRequest.Method) throws {
        var input = raw
        var decoder = ResponseDecoder(limits: HTTPLimits())
        guard let head = try decoder.next(&input) else {
            throw TestClientError.incomplete(String(buffer: raw))
        }
        status = HTTPResponse.Status(code: head.status)
        fields = head.fields
        switch try head.framing(answering: method) {
        case .noContent:
            (body, trailers) = (ByteBuffer(), nil)
        case .length(let length):
            guard let slice = input.readSlice(length: length) else {
                throw TestClientError.incomplete(String(buffer: raw))
            }
            (body, trailers) = (slice, nil)
        case .chunked:
            guard let content = try Self.readChunks(&input) else {
                throw TestClientError.incomplete(String(buffer: raw))
            }
            (body, trailers) = content
        case .untilClose:
            (body, trailers) = (input, nil)
            return
        }
        // After a 101, the bytes belong to another protocol.
        guard input.readableBytes == 0 || head.status == 101 else {
            throw TestClientError.surplus(String(buffer: input))
        }
    }

    /// Decodes a chunked body. Returns `nil` if it is incomplete.
    private static func readChunks(_ input: inout ByteBuffer) throws -> (ByteBuffer, HTTPFields?)? {
        var content = ByteBuffer()
        var decoder = ChunkedDecoder(limits: HTTPLimits())
        while true {
            switch try decoder.next(&input) {
            case .data(var data): content.writeBuffer(&data)
            case .end(let trailers): return (content, trailers)
            case .needMore: return nil
            }
        }
    }
}
