public import HTTPKit
public import HTTPTypes

/// Why a request was rejected as a possible forgery.
public enum CSRFError: ResponseError, Equatable {
    /// A page of another site has sent it; the text is Sec-Fetch-Site or Origin.
    case otherSite(String)
    /// The form has no token, or not the one of the session.
    case token

    /// 403.
    public var status: HTTPResponse.Status { .forbidden }

    /// What is wrong.
    public var message: String {
        switch self {
        case .otherSite(let site): "this request comes from a page of another site (\(site))"
        case .token: "the form has expired; load its page again"
        }
    }
}
