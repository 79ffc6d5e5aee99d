public import HTTPKit
public import HTTPTypes

/// Middleware that finds out who the user is. Each kind may stand beside the others; the first that finds a user counts.
///
/// None of them rejects a request: `request.require(User.self)` does, or `.requireUser` for a whole group. The verifier is
/// the application's: it returns `nil` for credentials that are not valid. Compare secrets with `constantTimeEqual`, or keep
/// digests of them; passwords belong into a password hash (bcrypt, scrypt, Argon2), computed in `offload`.
extension Middleware {
    /// Bearer tokens (RFC 6750): `Authorization: Bearer …`.
    public static func bearer<User: Sendable>(
        realm: String? = nil, _ verify: @escaping @Sendable (String, Request) async throws -> User?
    ) -> Middleware {
        let realmText = realm.map { " realm=\($0.quoted)" } ?? ""
        return authentication(User.self) { request in
            guard let field = request.authorization else { return .none("Bearer\(realmText)") }
            guard let token = Credentials.bearer(field) else { return .none("Bearer\(realmText)") }
            if let user = try await verify(token, request) { return .user(user) }
            let separator = realmText.isEmpty ? "" : ","
            return .rejected("Bearer\(realmText)\(separator) error=\"invalid_token\"")
        }
    }

    /// User name and password with each request (RFC 7617): `Authorization: Basic …`. Use it over TLS only.
    public static func basic<User: Sendable>(
        realm: String, _ verify: @escaping @Sendable (String, String, Request) async throws -> User?
    ) -> Middleware {
        let challenge = "Basic realm=\(realm.quoted), charset=\"UTF-8\""
        return authentication(User.self) { request in
            guard let field = request.authorization, let credentials = Credentials.basic(field) else {
                return .none(challenge)
            }
            guard let user = try await verify(credentials.user, credentials.password, request) else {
                return .rejected(challenge)
            }
            return .user(user)
        }
    }

    /// A key in a field of its own, such as `X-API-Key`.
    public static func apiKey<User: Sendable>(
        _ field: HTTPField.Name, _ verify: @escaping @Sendable (String, Request) async throws -> User?
    ) -> Middleware {
        // There is no registered scheme for keys in other fields.
        let challenge = "APIKey in=\"header\", name=\(field.rawName.quoted)"
        return authentication(User.self) { request in
            let keys = request.fields[values: field]
            guard keys.count == 1, let key = keys.first, !key.isEmpty, key.utf8.count <= Credentials.maxLength
            else { return .none(challenge) }
            guard let user = try await verify(key, request) else { return .rejected(challenge) }
            return .user(user)
        }
    }

    /// The user who has signed in to the session. `find` is given the identifier of `Session.signIn`, and returns `nil` if
    /// there is no such user any more.
    public static func sessionUser<User: Sendable>(
        _ find: @escaping @Sendable (String, Request) async throws -> User?
    ) -> Middleware {
        authentication(User.self) { request in
            guard let name = try request.session.user, let user = try await find(name, request) else {
                return .none(nil)
            }
            return .user(user)
        }
    }

    /// Lets only requests with a user pass: for a whole group. Others get 401, or the page of `.signInPage`.
    public static func requireUser<User: Sendable>(_ type: User.Type) -> Middleware {
        Middleware { request, next in
            _ = try request.require(type)
            return try await next(request)
        }
    }

    private static func authentication<User: Sendable>(
        _ type: User.Type, _ find: @escaping @Sendable (Request) async throws -> Finding<User>
    ) -> Middleware {
        Middleware { request, next in
            guard request.user(type) == nil else { return try await next(request) }
            var request = request
            var challenges = request[CurrentChallenges.self] ?? Challenges()
            switch try await find(request) {
            case .user(let user): request.authenticate(user)
            case .none(let challenge): challenges.list += [challenge].compactMap(\.self)
            case .rejected(let challenge):
                challenges.list.append(challenge)
                challenges.isRejected = true
            }
            request[CurrentChallenges.self] = challenges
            return try await next(request)
        }
    }
}

private enum Finding<User: Sendable>: Sendable {
    case user(User)
    case none(String?)
    case rejected(String)
}

extension Request {
    /// The only Authorization field; `nil` if there are none or several.
    fileprivate var authorization: String? {
        let values = fields[values: .authorization]
        return values.count == 1 ? values[0] : nil
    }
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
public func constantTimeEqual(_ left: String, _ right: String) -> Bool { Token.equal(left, right) }
