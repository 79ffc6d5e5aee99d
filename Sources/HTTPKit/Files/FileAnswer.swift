package import HTTPTypes
package import NIOCore

/// What is to be sent for a request to a folder. Content-Length, Date and Connection are the server's to write.
package struct FileAnswer: Sendable {
    /// A piece of a multipart body.
    package enum Segment: Sendable {
        /// Octets that are there.
        case bytes(ByteBuffer)
        /// A stretch of a file.
        case file(OpenFile, offset: Int64, length: Int64)
    }

    /// The content.
    package enum Body: Sendable {
        /// None: an answer without content, or one to HEAD.
        case none
        /// Octets that are there.
        case bytes(ByteBuffer)
        /// A stretch of a file. If the file turns out shorter, the connection must be closed.
        case file(OpenFile, offset: Int64, length: Int64)
        /// Pieces, one behind the other.
        case multipart([Segment])
    }

    /// The status.
    package var status: HTTPResponse.Status
    /// All fields but the server's.
    package var fields: HTTPFields
    /// The same fields as lines with their CRLF, made beforehand; `nil` where they were not.
    package var encodedFields: ByteBuffer?
    /// The content.
    package var body: Body
    /// The value of Content-Length, for HEAD too; `nil` where it is left out (304).
    package var contentLength: Int64?

    init(
        _ status: HTTPResponse.Status, fields: HTTPFields = [:], encodedFields: ByteBuffer? = nil,
        body: Body = .none,
        contentLength: Int64? = 0
    ) {
        self.status = status
        self.fields = fields
        self.encodedFields = encodedFields
        self.body = body
        self.contentLength = contentLength
    }
}

extension FileAnswer {
    /// Has the system read what is sent first from a file; to be called by a thread that may block.
    func prepare() {
        switch body {
        case .none, .bytes: break
        case .file(let file, let offset, let length): file.prepare(offset: offset, length: length)
        case .multipart(let segments):
            for case .file(let file, let offset, let length) in segments {
                file.prepare(offset: offset, length: length)
            }
        }
    }
}

extension HTTPFields {
    /// The fields as lines with their CRLF. Names and values are valid by their types.
    func encodedLines() -> ByteBuffer {
        var buffer = ByteBuffer()
        for field in self {
            buffer.writeString(field.name.rawName)
            buffer.writeStaticString(": ")
            field.withUnsafeBytesOfValue { _ = buffer.writeBytes($0) }
            buffer.writeStaticString("\r\n")
        }
        return buffer
    }
}
