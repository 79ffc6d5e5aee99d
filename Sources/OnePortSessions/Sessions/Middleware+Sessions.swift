public import HTTPKit
import HTTPTypes

/// The session, among the values of a request.
private enum CurrentSession: RequestKey {
    typealias Value = Session
}

extension Request {
    /// The session of this request.
    ///
    /// - Throws: `SessionError.notConfigured` without the middleware `.sessions` around the route.
    public var session: Session {
        get throws {
            guard let session = self[CurrentSession.self] else {
                throw SessionError.notConfigured(route: pattern.isEmpty ? path : pattern)
            }
            session.markUsed()
            return session
        }
    }
}

extension Middleware {
    /// Gives each request a session: `request.session`.
    ///
    /// ```swift
    /// app.use(.sessions(.store(MemorySessionStore())))
    /// app.post("/sign-in") { request in
    ///     let form = try await request.form(as: SignIn.self)
    ///     guard await users.check(form) else { throw HTTPFailure(.forbidden, "wrong name or password") }
    ///     try request.session.signIn(form.name, remember: form.remember)
    ///     return .seeOther(to: "/")
    /// }
    /// ```
    /// The cookie is HttpOnly and SameSite=Lax. Over https it is Secure and has the prefix `__Host-`; behind a proxy that
    /// terminates TLS, this needs the proxy to be trusted (`--trusted-proxies`).
    ///
    /// Responses to requests that have looked at the session get `Cache-Control: private, no-cache` unless they have a
    /// Cache-Control of their own, and `Vary: Cookie`. A response that sets the cookie is never kept by a shared cache.
    public static func sessions(
        _ storage: SessionStorage, _ options: SessionOptions = SessionOptions()
    ) -> Middleware {
        let manager = SessionManager(storage: storage, options: options)
        return Middleware { request, next in
            let session = try await manager.load(for: request)
            var request = request
            request[CurrentSession.self] = session
            var response: Response
            do {
                response = try await next(request)
            } catch {
                let cookie = try await manager.save(session, of: request)
                if let cookie {
                    request.addErrorFields([.setCookie: cookie.fieldValue, .cacheControl: "no-store"])
                }
                throw error
            }
            let cookie = try await manager.save(session, of: request)
            if let cookie { response.setCookie(cookie) }
            if session.current.isUsed || cookie != nil {
                response.limitCaching(setsCookie: cookie != nil)
            }
            return response
        }
    }
}

extension Response {
    /// Keeps a response that belongs to one session out of shared caches.
    fileprivate mutating func limitCaching(setsCookie: Bool) {
        guard status != .switchingProtocols else { return }
        fields.addVary("Cookie")
        guard let own = fields[.cacheControl] else {
            fields[.cacheControl] = "private, no-cache"
            return
        }
        let isPrivate = own.lowercased().split(separator: ",").contains { directive in
            let name = directive.split(whereSeparator: { $0 == " " || $0 == "=" }).first ?? ""
            return name == "private" || name == "no-store"
        }
        if setsCookie, !isPrivate { fields[.cacheControl] = "private, no-cache" }
    }
}
