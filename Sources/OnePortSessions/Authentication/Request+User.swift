public import HTTPKit
import HTTPTypes

/// A user of some type, among the values of a request.
private enum CurrentUser<User: Sendable>: RequestKey {
    typealias Value = User
}

/// What a client may do to be let in.
struct Challenges: Sendable {
    var list: [String] = []
    var isRejected = false
}

enum CurrentChallenges: RequestKey {
    typealias Value = Challenges
}

extension Request {
    /// The user that a middleware for authentication has found; `nil` if there is none.
    public func user<User: Sendable>(_ type: User.Type) -> User? { self[CurrentUser<User>.self] }

    /// Says who the user is: for middleware of the application's own.
    public mutating func authenticate(_ user: some Sendable) { set(user) }

    private mutating func set<User: Sendable>(_ user: User) { self[CurrentUser<User>.self] = user }

    /// The user, which must be there.
    ///
    /// - Throws: `Unauthenticated`, answered 401 with the challenges of the middleware, or by a redirect to the page of
    ///   `.signInPage`.
    public func require<User: Sendable>(_ type: User.Type) throws(Unauthenticated) -> User {
        if let user = user(type) { return user }
        let challenges = self[CurrentChallenges.self] ?? Challenges()
        throw Unauthenticated(challenges: challenges.list, isRejected: challenges.isRejected)
    }
}
