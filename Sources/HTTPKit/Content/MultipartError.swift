public import HTTPTypes

/// Why a multipart body was refused.
public enum MultipartError: ResponseError, Equatable {
    /// Content-Type is not `multipart/form-data` with a boundary (RFC 2046 §5.1.1, RFC 7578 §4.1).
    case boundary(String)
    /// A delimiter is followed by something other than its line's end or `--` (RFC 2046 §5.1.1).
    case delimiter
    /// A part's field line is malformed (RFC 5322 §2.2, as RFC 7578 §4.8 needs it).
    case fieldLine(part: Int)
    /// A part lacks `Content-Disposition: form-data; name="…"` (RFC 7578 §4.2).
    case disposition(part: Int)
    /// More parts than the limit.
    case tooManyParts(limit: Int)
    /// A part's field lines are larger than the limit.
    case partHeadTooLarge(limit: Int, part: Int)
    /// The whole body is larger than the limit, in octets.
    case tooLarge(limit: Int, size: Int)
    /// The body ended before its closing delimiter.
    case incomplete

    /// 413 where a limit is passed, otherwise 400.
    public var status: HTTPResponse.Status {
        switch self {
        case .tooManyParts, .partHeadTooLarge, .tooLarge: .contentTooLarge
        default: .badRequest
        }
    }

    /// What is wrong, with the limit and the value.
    public var message: String {
        switch self {
        case .boundary(let value):
            "multipart: Content-Type \(value.debugDescription) is not multipart/form-data with a boundary"
        case .delimiter: "multipart: a delimiter is not followed by a line end or \"--\""
        case .fieldLine(let part): "multipart: part \(part) has a malformed field line"
        case .disposition(let part):
            "multipart: part \(part) lacks Content-Disposition: form-data with a name"
        case .tooManyParts(let limit): "multipart: there are more than \(limit) parts"
        case .partHeadTooLarge(let limit, let part):
            "multipart: the fields of part \(part) are larger than \(limit) octets"
        case .tooLarge(let limit, let size): "multipart: \(size) octets or more, over the limit of \(limit)"
        case .incomplete: "multipart: the body ended before its closing delimiter"
        }
    }
}

/// The bounds of one multipart body. Sizes are in octets.
public struct MultipartLimits: Sendable, Hashable {
    /// How many parts there may be; over it 413.
    public var maxParts = 1000
    /// The field lines of one part together; over it 413.
    public var maxPartHeadSize = 8 << 10
    /// The whole body with its delimiters; over it 413. A route's body limit counts beside it.
    public var maxSize = 64 << 20

    /// The default bounds.
    public init() {}
}
