public import HTTPKit
public import HTTPTypes

/// Thrown when nobody is signed in and somebody must be: 401 with the challenges of the middleware around the route
/// (RFC 9110 §11.6.1).
public struct Unauthenticated: ResponseError, Equatable {
    /// The challenges, such as `Basic realm="shop"`, in the order of the middleware.
    public let challenges: [String]
    /// Whether credentials were sent and are not valid.
    public let isRejected: Bool

    /// An error with these challenges.
    public init(challenges: [String] = [], isRejected: Bool = false) {
        self.challenges = challenges
        self.isRejected = isRejected
    }

    /// 401.
    public var status: HTTPResponse.Status { .unauthorized }

    /// Never more than that, so that nobody learns which part was wrong.
    public var message: String { isRejected ? "the credentials are not valid" : "sign in first" }

    /// One WWW-Authenticate field for each challenge.
    public var fields: HTTPFields {
        HTTPFields(challenges.map { HTTPField(name: .wwwAuthenticate, value: $0) })
    }
}
