public import HTTPTypes

/// An error that knows its response: its status, a text that a client may read, and further header fields.
///
/// By default, clients that prefer JSON get problem details (RFC 9457), browsers a page, and others the text.
/// `RouteBuilder.onError` responds in other ways, and `RouteBuilder.mapError` makes such an error of any other.
///
/// An error with a status of 5xx is a fault of the program: it is logged once, and clients get the status and the fields,
/// but not the text.
public protocol ResponseError: Error {
    /// The status of the response.
    var status: HTTPResponse.Status { get }
    /// What a client is told; it names the field, the limit and the value. With a status of 5xx it is for the log, and for
    /// the page that developers see.
    var message: String { get }
    /// Fields to send beside the text.
    var fields: HTTPFields { get }
    /// What JSON clients are told beside the status and the text. With a status of 5xx it is not sent.
    var problem: Problem { get }
}

extension ResponseError {
    /// The status and the text only.
    public var problem: Problem { Problem() }
    /// No further fields.
    public var fields: HTTPFields { [:] }
}

/// An error response thrown by a handler: `throw HTTPFailure(.notFound, "no room of that name")`.
public struct HTTPFailure: ResponseError, CustomStringConvertible {
    /// The status that is answered.
    public let status: HTTPResponse.Status
    /// What a client is told.
    public let message: String
    /// Fields to send beside the text.
    public let fields: HTTPFields
    /// What JSON clients are told beside the status and the text.
    public let problem: Problem

    /// An error that answers `status` with `message` as text.
    public init(
        _ status: HTTPResponse.Status, _ message: String = "", fields: HTTPFields = [:],
        problem: Problem = Problem()
    ) {
        self.status = status
        self.message = message.isEmpty ? status.reasonPhrase : message
        self.fields = fields
        self.problem = problem
    }

    /// The status and the text.
    public var description: String { "\(status.code) \(message)" }
}

/// Why a request could not be read, each with its answer on the wire.
///
/// Whatever cannot be framed without doubt is refused and its connection closed (RFC 9112 §6.3, §11.2).
public enum HTTPError: ResponseError, Equatable {
    /// The request line is not `method SP target SP version` (RFC 9112 §3).
    case requestLine
    /// The status line of a server is not `version SP status SP reason` (RFC 9112 §4).
    case statusLine
    /// The first octets are not HTTP; the text says what they look like.
    case notHTTP(String)
    /// A method that this server does not know (RFC 9110 §15.6.2).
    case methodNotImplemented
    /// The target is in none of the four forms, or holds a character that none allows (RFC 9112 §3.2).
    case requestTarget
    /// The target is longer than the limit (RFC 9110 §15.5.15).
    case targetTooLong(limit: Int)
    /// A version other than HTTP/1.x (RFC 9110 §15.6.6).
    case version
    /// A field line that is not `name ":" OWS value OWS` (RFC 9112 §5.1).
    case fieldLine
    /// A line folded onto the next (RFC 9112 §5.2).
    case foldedLine
    /// A line that does not end in CRLF, or a CR elsewhere (RFC 9112 §2.2).
    case lineEnd
    /// Too many octets of field lines.
    case fieldSectionTooLarge(limit: Int)
    /// Too many field lines.
    case tooManyFields(limit: Int)
    /// Host missing, given twice, invalid, or at odds with the target (RFC 9112 §3.2).
    case host
    /// A Content-Length that is not one number (RFC 9112 §6.3).
    case contentLength
    /// Transfer-Encoding together with Content-Length, or in HTTP/1.0 (RFC 9112 §6.1).
    case conflictingFraming
    /// A Transfer-Encoding whose last coding is not chunked, or which names it twice (RFC 9112 §6.3).
    case transferEncoding
    /// A transfer coding that this server does not know (RFC 9112 §6.1).
    case transferCodingNotImplemented
    /// A chunk whose size or end is malformed (RFC 9112 §7.1).
    case chunk
    /// Chunk extensions over the limit (RFC 9112 §7.1.1).
    case chunkExtensionsTooLarge(limit: Int)
    /// An expectation other than 100-continue (RFC 9110 §10.1.1).
    case expectation
    /// Content over the limit (RFC 9110 §15.5.14).
    case contentTooLarge(limit: Int)
    /// The client took too long (RFC 9110 §15.5.9).
    case timeout(String)
    /// The client went away before the message was whole.
    case incompleteBody
    /// The server has as many connections as it takes (`HTTPLimits.maxConnections`).
    case tooManyConnections

    /// The status that is answered; 400 unless a better one is named by the RFCs.
    public var status: HTTPResponse.Status {
        switch self {
        case .methodNotImplemented, .transferCodingNotImplemented: .notImplemented
        case .targetTooLong: .uriTooLong
        case .version: .httpVersionNotSupported
        case .fieldSectionTooLarge, .tooManyFields: .requestHeaderFieldsTooLarge
        case .contentTooLarge: .contentTooLarge
        case .expectation: .expectationFailed
        case .timeout: .requestTimeout
        case .tooManyConnections: .serviceUnavailable
        default: .badRequest
        }
    }

    /// What a client is told: the rule or the limit that was broken.
    public var message: String {
        switch self {
        case .requestLine: "the request line is not \"method target version\" (RFC 9112 §3)"
        case .statusLine: "the status line is not \"HTTP/1.1 status reason\" (RFC 9112 §4)"
        case .notHTTP(let found): "this port speaks HTTP/1.1; what came looks like \(found)"
        case .methodNotImplemented: "this method is not known here (RFC 9110 §9.1)"
        case .requestTarget: "the request target is not valid (RFC 9112 §3.2)"
        case .targetTooLong(let limit): "the request target is longer than \(limit) octets"
        case .version: "only HTTP/1.1 and HTTP/1.0 are spoken here (RFC 9112 §2.3)"
        case .fieldLine: "a field line is not \"name: value\" (RFC 9112 §5)"
        case .foldedLine: "a field line is folded (RFC 9112 §5.2)"
        case .lineEnd: "a line does not end in CRLF (RFC 9112 §2.2)"
        case .fieldSectionTooLarge(let limit): "the fields are larger than \(limit) octets"
        case .tooManyFields(let limit): "there are more than \(limit) fields"
        case .host:
            "the Host field is missing, repeated, invalid or disagrees with the target (RFC 9112 §3.2)"
        case .contentLength: "Content-Length is not one number (RFC 9112 §6.3)"
        case .conflictingFraming: "Transfer-Encoding with Content-Length or in HTTP/1.0 (RFC 9112 §6.1)"
        case .transferEncoding: "chunked is not the one final transfer coding (RFC 9112 §6.3)"
        case .transferCodingNotImplemented: "this transfer coding is not known here (RFC 9112 §6.1)"
        case .chunk: "a chunk is malformed (RFC 9112 §7.1)"
        case .chunkExtensionsTooLarge(let limit): "the chunk extensions are larger than \(limit) octets"
        case .expectation: "the only expectation known here is 100-continue (RFC 9110 §10.1.1)"
        case .contentTooLarge(let limit): "the content is larger than \(limit) octets"
        case .timeout(let what): "\(what) took too long"
        case .incompleteBody: "the client closed the connection before its content was whole"
        case .tooManyConnections: "too many connections"
        }
    }
}
