public import HTTPTypes
public import NIOCore

/// An answer: status, fields, content, and perhaps the change to another protocol.
public struct Response: Sendable {
    /// The status (RFC 9110 §15).
    public var status: HTTPResponse.Status
    /// The fields; Content-Length, Transfer-Encoding, Connection and Date are the server's to write.
    public var fields: HTTPFields {
        didSet { preparedFields = nil }
    }
    /// The content.
    public var body: ResponseBody
    /// The lines of `fields`, made ready beforehand; a change of `fields` puts them out of use.
    package var preparedFields: ByteBuffer?
    /// What Content-Length would say, for an answer to HEAD whose content was not even made; otherwise the length
    /// of the content counts.
    package var declaredLength: Int?
    /// What takes the connection over behind a 101.
    package var upgrade: Upgrade?

    /// An answer of `status` with `fields` and `body`.
    public init(status: HTTPResponse.Status = .ok, fields: HTTPFields = [:], body: ResponseBody = .empty) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// An answer that hands its connection over when `Upgrade` is still wished for behind all middleware.
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

    /// An answer without content, as for 204 or for a bare status.
    public static func status(_ status: HTTPResponse.Status) -> Response { Response(status: status) }

    /// Content written piece by piece; `length`, where it is known, is sent as Content-Length and kept to.
    ///
    /// Nothing is sent before the first write: an error thrown until then is an ordinary error answer. One thrown
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

    /// The response to an error, as clients may see it: of a fault of the program they are told the status only.
    package init(error: any Error) {
        let responseError = error as? any ResponseError
        let status =
            responseError?.status
            ?? (error is CancellationError ? .serviceUnavailable : .internalServerError)
        if let responseError, !error.isServerFault {
            self = .text(responseError.message + "\n", status: status)
        } else {
            let phrase = status.reasonPhrase.isEmpty ? "\(status.code)" : status.reasonPhrase
            self = .text(phrase + "\n", status: status)
        }
        if let responseError { for field in responseError.fields { fields.append(field) } }
    }
}

/// The content of an answer.
public struct ResponseBody: Sendable {
    package enum Storage: Sendable {
        case empty
        case string(String)
        case bytes(ByteBuffer)
        case stream(length: Int?, @Sendable (ResponseWriter) async throws -> Void)
        case parts([Part])
    }

    /// A piece of content of known length.
    package enum Part: Sendable {
        case bytes(ByteBuffer)
        case file(FileSlice)

        var length: Int {
            switch self {
            case .bytes(let buffer): buffer.readableBytes
            case .file(let slice): slice.length
            }
        }
    }

    package var storage: Storage

    package init(storage: Storage) { self.storage = storage }

    /// No content.
    public static let empty = ResponseBody(storage: .empty)

    /// Octets that are there.
    public static func bytes(_ buffer: ByteBuffer) -> ResponseBody { .init(storage: .bytes(buffer)) }

    /// Text, as UTF-8.
    public static func string(_ text: String) -> ResponseBody { .init(storage: .string(text)) }

    /// Content that is written piece by piece.
    public static func stream(
        length: Int? = nil, _ write: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) -> ResponseBody {
        .init(storage: .stream(length: length, write))
    }

    /// Octets and stretches of files, one behind the other, whose length is known.
    package static func parts(_ parts: [Part]) -> ResponseBody { .init(storage: .parts(parts)) }

    /// The length, where it is known before it is written.
    package var length: Int? {
        switch storage {
        case .empty: 0
        case .string(let text): text.utf8.count
        case .bytes(let buffer): buffer.readableBytes
        case .stream(let length, _): length
        case .parts(let parts): parts.reduce(0) { $0 + $1.length }
        }
    }
}

/// A stretch of an open file, which stays open as long as this value lives.
package struct FileSlice: Sendable {
    /// Keeps the descriptor open.
    package let owner: any AnyObject & Sendable
    package let descriptor: CInt
    package let offset: Int
    package let length: Int

    package init(owner: any AnyObject & Sendable, descriptor: CInt, offset: Int, length: Int) {
        self.owner = owner
        self.descriptor = descriptor
        self.offset = offset
        self.length = length
    }
}

/// Writes the content of a streamed answer, with backpressure: `write` is suspended while the client does not read.
public struct ResponseWriter: Sendable {
    let connection: HTTPConnection
    let exchange: UInt64
    /// What changes the content on its way.
    package private(set) var encoder: (any ContentEncoder)?

    init(connection: HTTPConnection, exchange: UInt64) {
        self.connection = connection
        self.exchange = exchange
    }

    /// Sends `data`; it is on its way at the end of this turn of the event loop.
    ///
    /// - Throws: `CancellationError` when the client is gone, or when the task is cancelled while it waits for the client
    ///   to read: `data` is on its way then all the same. An error of the program's when more is written than was
    ///   announced.
    public func write(_ data: ByteBuffer) async throws {
        guard let encoder else { return try await connection.writeBody(data, exchange: exchange) }
        try await connection.writeBody(data, by: encoder, exchange: exchange)
    }

    /// Sends text as UTF-8.
    public func write(_ text: String) async throws { try await write(ByteBuffer(string: text)) }

    /// Sends the head, if that has not been done, and all that was written, without waiting for the end of this turn of
    /// the event loop. It is suspended while the client does not read.
    ///
    /// An error thrown behind it closes the connection, as behind the first write.
    ///
    /// - Throws: `CancellationError` as `write` does.
    public func flush() async throws { try await connection.flushBody(exchange: exchange) }

    /// Sets the trailer fields to send behind chunked content (RFC 9110 §6.5); without effect on other content.
    public func setTrailers(_ trailers: HTTPFields) {
        connection.setTrailers(trailers, exchange: exchange)
    }
}

extension ResponseWriter {
    /// A writer of the same answer whose pieces go through `encoder`; to be ended with `finishEncoding`.
    package func encoding(by encoder: any ContentEncoder) -> ResponseWriter {
        var writer = self
        writer.encoder = encoder
        return writer
    }

    /// Sends what the encoder has kept back.
    package func finishEncoding() async throws {
        guard let encoder else { return }
        try await connection.finishBody(by: encoder, exchange: exchange)
    }
}

/// Changes the content of one streamed answer on its way; called on the connection's event loop only.
package protocol ContentEncoder: AnyObject, Sendable {
    /// What is sent for a piece of content.
    func encode(_ piece: ByteBuffer) throws -> ByteBuffer
    /// What is sent at the end.
    func finish() throws -> ByteBuffer
}

/// A change of protocol that an answer carries (RFC 9110 §7.8).
package struct Upgrade: Sendable {
    /// Takes the channel over, on its event loop, once the 101 has been written and this module has left the pipeline.
    package let start: @Sendable (consuming UpgradedConnection) -> Void

    package init(start: @escaping @Sendable (consuming UpgradedConnection) -> Void) { self.start = start }
}

/// A connection that has changed its protocol, with every octet that was read behind the request.
///
/// There is one owner: it is consumed by whoever goes on with it.
package struct UpgradedConnection: ~Copyable {
    package let channel: any Channel
    package let request: Request
    /// What the client had sent behind the head already.
    package var unread: ByteBuffer
    /// The client has already closed its side.
    package let isInputClosed: Bool
    package let drainDeadline: LoopInstant?

    package init(
        channel: any Channel, request: Request, unread: ByteBuffer, isInputClosed: Bool,
        drainDeadline: LoopInstant?
    ) {
        self.channel = channel
        self.request = request
        self.unread = unread
        self.isInputClosed = isInputClosed
        self.drainDeadline = drainDeadline
    }
}
