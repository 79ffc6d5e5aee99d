public import HTTPKit
public import HTTPTypes

/// Why a session could not be used or kept. It is a mistake of the application, so clients get 500 without the text.
public enum SessionError: ResponseError, Equatable {
    /// The route has no `.sessions` middleware around it.
    case notConfigured(route: String)
    /// A value cannot be encoded as JSON.
    case notEncodable(name: String)
    /// The session does not fit into its cookie. Keep less in it, or use a store.
    case cookieTooLong(limit: Int, length: Int)
    /// The session has more bytes than `SessionOptions.maxStoredSize`.
    case tooLarge(limit: Int, size: Int)

    /// 500.
    public var status: HTTPResponse.Status { .internalServerError }

    /// What is wrong, with the limit and the value.
    public var message: String {
        switch self {
        case .notConfigured(let route): "\(route) has no sessions: put the middleware .sessions around it"
        case .notEncodable(let name): "the session's value \(name) cannot be encoded as JSON"
        case .cookieTooLong(let limit, let length):
            "the session needs a cookie of \(length) bytes, and browsers keep \(limit): keep less in it, or use a store"
        case .tooLarge(let limit, let size): "the session has \(size) bytes, more than \(limit)"
        }
    }
}
