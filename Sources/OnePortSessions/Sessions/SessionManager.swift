import FoundationEssentials
import HTTPKit
import HTTPTypes

/// Finds the session of a request, and keeps it afterwards.
struct SessionManager: Sendable {
    /// Cookies of the name that are tried: a browser sends several if they were set for several paths or domains.
    private static let maxCookies = 4

    let storage: SessionStorage
    let options: SessionOptions

    /// The cookie of a request's scheme. A cookie that was set over plain HTTP does not count over TLS.
    private func cookieName(_ request: Request) -> String {
        request.scheme == "https" ? "__Host-\(options.cookieName)" : options.cookieName
    }

    // MARK: Loading

    func load(for request: Request) async throws -> Session {
        let now = options.now().secondsSinceEpoch
        let name = cookieName(request)
        for value in request.cookies.values(of: name).prefix(Self.maxCookies) {
            guard let (record, origin) = try await open(value, name), options.isValid(record, at: now) else {
                continue
            }
            return session(record, origin, now)
        }
        return session(SessionRecord(now: now), Session.Origin(), now)
    }

    private func session(_ record: SessionRecord, _ origin: Session.Origin, _ now: Int64) -> Session {
        var store: (any SessionStore)?
        if case .store(let its) = storage.kind { store = its }
        return Session(record, origin, store: store, sockets: options.sockets, now: now)
    }

    private func open(_ value: String, _ name: String) async throws -> (SessionRecord, Session.Origin)? {
        switch storage.kind {
        case .cookie(let seal):
            guard let opened = seal.open(value, for: name),
                let record = try? JSONDecoder().decode(SessionRecord.self, from: opened.plaintext)
            else { return nil }
            return (record, Session.Origin(isFound: true, isOutdated: !opened.isCurrent))
        case .store(let store):
            let key = Token.digest(value)
            guard let record = try await store.load(key) else { return nil }
            return (record, Session.Origin(storeKey: key, isFound: true))
        }
    }

    // MARK: Keeping

    /// Keeps the session, and then closes the sockets of who has signed out.
    ///
    /// - Returns: the cookie to set; `nil` if the browser has it already.
    func save(_ session: Session, of request: Request) async throws -> SetCookie? {
        let cookie = try await keep(session, request)
        for user in session.current.signedOut { options.sockets.close(user) }
        return cookie
    }

    private func keep(_ session: Session, _ request: Request) async throws -> SetCookie? {
        let state = session.current
        if let failure = state.failure { throw failure }
        let now = options.now().secondsSinceEpoch
        let isChanged = state.isRenewed || !state.changes.isEmpty
        guard isChanged || (state.isUsed && session.origin.isFound) else { return nil }
        guard isChanged || session.origin.isOutdated || options.isStale(state.record, at: now) else {
            return nil
        }
        var record = state.record
        refresh(&record, now)
        switch storage.kind {
        case .cookie(let seal): return try cookie(record, session, seal, now, request)
        case .store(let store): return try await stored(record, session, state, store, now, request)
        }
    }

    private func refresh(_ record: inout SessionRecord, _ now: Int64) {
        record.usedAt = max(record.usedAt, now)
        record.expiresAt = options.expiry(of: record)
    }

    private func cookie(
        _ record: SessionRecord, _ session: Session, _ seal: CookieSeal, _ now: Int64, _ request: Request
    ) throws -> SetCookie? {
        let name = cookieName(request)
        guard !record.isEmpty else { return session.origin.isFound ? try deletion(request) : nil }
        let plaintext = try JSONEncoder().encode(record)
        let length = name.utf8.count + CookieSeal.sealedLength(of: plaintext.count)
        guard length <= SetCookie.maximumLength else {
            throw SessionError.cookieTooLong(limit: SetCookie.maximumLength, length: length)
        }
        return try setCookie(seal.seal(plaintext, for: name), record, now, request)
    }

    private func stored(
        _ record: SessionRecord, _ session: Session, _ state: Session.State, _ store: any SessionStore,
        _ now: Int64, _ request: Request
    ) async throws -> SetCookie? {
        let size = record.contentLength
        guard size <= options.maxStoredSize else {
            throw SessionError.tooLarge(limit: options.maxStoredSize, size: size)
        }
        var record = record
        if let key = session.origin.storeKey {
            // The record may have changed since it was loaded, or be gone because its user has signed out: then it stays
            // gone. The cookie is left as it is, because a response to another request may have set a newer one.
            let changes = state.changes
            guard state.isRenewed else {
                _ = try await store.update(key) { record in
                    for change in changes { change(&record) }
                    refresh(&record, now)
                }
                return nil
            }
            if let current = try await store.remove(key) {
                record = current
                for change in changes { change(&record) }
                refresh(&record, now)
            } else if record.user != nil, !state.hasSignedIn {
                return nil
            }
        }
        guard !record.isEmpty else { return session.origin.isFound ? try deletion(request) : nil }
        let identifier = Token.random()
        try await store.insert(record, for: Token.digest(identifier))
        return try setCookie(identifier, record, now, request)
    }

    private func setCookie(
        _ value: String, _ record: SessionRecord, _ now: Int64, _ request: Request
    ) throws -> SetCookie {
        try SetCookie(
            cookieName(request), value, maxAge: record.isRemembered ? Int(record.expiresAt - now) : nil,
            secure: request.scheme == "https", sameSite: options.sameSite)
    }

    private func deletion(_ request: Request) throws -> SetCookie {
        try SetCookie(
            cookieName(request), "", maxAge: 0, secure: request.scheme == "https", sameSite: options.sameSite)
    }
}
