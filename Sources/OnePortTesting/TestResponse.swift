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

    /// Reads the answer to a request from everything that its connection has brought.
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
        // What follows a 101 is of another protocol.
        guard input.readableBytes == 0 || head.status == 101 else {
            throw TestClientError.surplus(String(buffer: input))
        }
    }

    /// Reads chunked content to its end; `nil` when it has none.
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
