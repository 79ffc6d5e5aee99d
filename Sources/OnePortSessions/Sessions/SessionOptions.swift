import FoundationEssentials
public import HTTPKit

/// Where sessions are kept.
public struct SessionStorage: Sendable {
    enum Kind: Sendable {
        case cookie(CookieSeal)
        case store(any SessionStore)
    }

    let kind: Kind

    /// In the cookie itself, encrypted and authenticated. The server keeps nothing, and a session has at most about 3 KB.
    ///
    /// Such a session cannot be revoked: a copy of the cookie from before the user signed out is valid until it expires. Of
    /// two requests at the same time that change the session, the last response wins. Use a store where that matters.
    public static func cookie(_ secrets: SessionSecrets) -> SessionStorage {
        SessionStorage(kind: .cookie(CookieSeal(secrets)))
    }

    /// In a store; the cookie contains 256 random bits. Signing out revokes the session.
    public static func store(_ store: any SessionStore) -> SessionStorage {
        SessionStorage(kind: .store(store))
    }
}

/// How long sessions last, and how their cookie looks.
public struct SessionOptions: Sendable {
    /// The name of the cookie. Over https it is preceded by `__Host-`, so that no other host and no plain HTTP can set it.
    public var cookieName = "session"
    /// When browsers send the cookie with requests from other sites. `lax`, the default, sends it when a link is followed.
    public var sameSite = SetCookie.SameSite.lax
    /// A session that is not used for that long ends. Remembered ones do not.
    public var idleTimeout = Duration.seconds(3600)
    /// A session ends that long after it began, however much it is used.
    public var lifetime = Duration.seconds(12 * 3600)
    /// The same for a session that was signed in with `remember`.
    public var rememberedLifetime = Duration.seconds(30 * 24 * 3600)
    /// How far the clocks of several servers may differ: a session that begins further in the future is not valid.
    public var clockTolerance = Duration.seconds(60)
    /// The most that a session in a store may contain, in bytes.
    public var maxStoredSize = 64 << 10
    /// The sockets that signing out closes. See `WebSocket.closeAtSignOut()`.
    public var sockets = UserSockets()
    /// The time of day.
    public var now: @Sendable () -> HTTPDate = {
        HTTPDate(secondsSinceEpoch: Int64(Date().timeIntervalSince1970))
    }

    /// The defaults.
    public init() {}

    /// The defaults, changed by `configure`.
    public init(_ configure: (inout SessionOptions) -> Void) {
        self.init()
        configure(&self)
    }

    /// When a session ends.
    func expiry(of record: SessionRecord) -> Int64 {
        if record.isRemembered { return record.startedAt + rememberedLifetime.components.seconds }
        return min(
            record.usedAt + idleTimeout.components.seconds, record.startedAt + lifetime.components.seconds)
    }

    /// Whether the session counts. The options of now apply, so that a shorter lifetime applies to old sessions too.
    func isValid(_ record: SessionRecord, at now: Int64) -> Bool {
        let latest = now + clockTolerance.components.seconds
        return min(record.expiresAt, expiry(of: record)) > now && record.startedAt <= latest
            && record.usedAt <= latest
    }

    /// Whether the time of the last use has to be written again.
    func isStale(_ record: SessionRecord, at now: Int64) -> Bool {
        !record.isRemembered && now - record.usedAt >= max(1, idleTimeout.components.seconds / 20)
    }
}
