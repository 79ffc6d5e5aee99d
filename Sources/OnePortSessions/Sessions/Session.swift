import FoundationEssentials
import Synchronization

/// The session of a request: what is kept between the requests of one browser.
///
/// It is there behind the middleware `.sessions`, also in `admit` of sockets. A session without content is not kept, so
/// visitors get no cookie until something is set. Changes are kept when the handler returns or throws; what a streamed body
/// or a socket changes later is not.
public final class Session: Sendable {
    typealias Change = @Sendable (inout SessionRecord) -> Void

    struct State {
        var record: SessionRecord
        /// The changes of this request, in order, for a record that other requests change as well.
        var changes: [Change] = []
        /// Whether the session gets a new identifier, and the old one becomes invalid.
        var isRenewed = false
        /// Whether a handler has looked at it: then the response depends on it.
        var isUsed = false
        var failure: SessionError?
        /// Whether this request has signed the user in.
        var hasSignedIn = false
        /// Who was signed in and is not any more.
        var signedOut: [String] = []
    }

    /// What the request came with.
    struct Origin: Sendable {
        /// The key of the record in the store.
        var storeKey: String?
        /// Whether there was a valid session.
        var isFound = false
        /// Whether the cookie has to be sealed again, because its secret is not the current one.
        var isOutdated = false
    }

    let origin: Origin
    /// The sockets that signing out closes.
    let sockets: UserSockets
    private let store: (any SessionStore)?
    private let now: Int64
    private let state: Mutex<State>

    init(
        _ record: SessionRecord, _ origin: Origin, store: (any SessionStore)?, sockets: UserSockets,
        now: Int64
    ) {
        state = Mutex(State(record: record))
        self.origin = origin
        self.store = store
        self.sockets = sockets
        self.now = now
    }

    /// Whether the store still has the session. One in a cookie is always there.
    func isCurrent() async throws -> Bool {
        guard let store, let key = origin.storeKey else { return true }
        return try await store.load(key) != nil
    }

    var current: State { state.withLock { $0 } }

    func markUsed() { state.withLock { $0.isUsed = true } }

    private func change(_ change: @escaping Change) {
        state.withLock { state in
            change(&state.record)
            state.changes.append(change)
        }
    }

    // MARK: Values

    /// A value; `nil` if there is none, or if it was kept as another type.
    ///
    /// A value that cannot be encoded as JSON fails the request with `SessionError.notEncodable`.
    public subscript<Key: SessionKey>(key: Key.Type) -> Key.Value? {
        get {
            guard let text = text(Key.name) else { return nil }
            return try? JSONDecoder().decode(Key.Value.self, from: Data(text.utf8))
        }
        set {
            guard let newValue else { return setText(nil, Key.name) }
            do {
                setText(String(decoding: try JSONEncoder().encode(newValue), as: UTF8.self), Key.name)
            } catch {
                state.withLock { $0.failure = .notEncodable(name: Key.name) }
            }
        }
    }

    /// A value, or another one if there is none.
    public subscript<Key: SessionKey>(
        key: Key.Type, default fallback: @autoclosure () -> Key.Value
    ) -> Key.Value {
        get { self[key] ?? fallback() }
        set { self[key] = newValue }
    }

    func text(_ name: String) -> String? { state.withLock { $0.record.values[name] } }

    func setText(_ text: String?, _ name: String) { change { $0.values[name] = text } }

    // MARK: Signing in

    /// Who has signed in; `nil` for a visitor.
    public var user: String? { state.withLock { $0.record.user } }

    /// Signs a user in: the session gets a new identifier, so that nobody can have fixed it beforehand.
    ///
    /// The values of a visitor are kept. Those of another user are dropped.
    ///
    /// - Parameters:
    ///   - user: the user's identifier, which `user` then is.
    ///   - remember: whether the session outlives the browser, for `SessionOptions.rememberedLifetime`.
    public func signIn(_ user: String, remember: Bool = false) {
        let now = now
        noteSignOut(unless: user)
        change { record in
            if record.user != nil, record.user != user { record = SessionRecord(now: now) }
            record.values[CSRFSecret.name] = nil
            record.user = user
            record.isRemembered = remember
            record.startedAt = now
            record.usedAt = now
        }
        state.withLock { $0.hasSignedIn = true }
        renew()
    }

    /// Signs the user out: drops all values, and makes the session invalid where it is kept in a store.
    public func signOut() {
        let now = now
        noteSignOut(unless: nil)
        change { $0 = SessionRecord(now: now) }
        state.withLock { $0.hasSignedIn = false }
        renew()
    }

    /// Gives the session a new identifier, for example when the user gets more rights.
    public func renew() { state.withLock { $0.isRenewed = true } }

    private func noteSignOut(unless user: String?) {
        state.withLock { state in
            guard let previous = state.record.user, previous != user else { return }
            state.signedOut.append(previous)
        }
    }

    // MARK: Messages

    /// Leaves a message for the next page.
    public func flash(_ text: String, kind: String = "info") {
        let message = FlashMessage(text, kind: kind)
        change { $0.flashes.append(message) }
    }

    /// The messages for this page. They are removed.
    public func takeFlashes() -> [FlashMessage] {
        let messages = state.withLock { $0.record.flashes }
        guard !messages.isEmpty else { return [] }
        change { record in
            // Another request may have left more meanwhile.
            for message in messages {
                if let index = record.flashes.firstIndex(of: message) { record.flashes.remove(at: index) }
            }
        }
        return messages
    }
}

/// The name of the session's value that form tokens are made of.
enum CSRFSecret {
    static let name = "csrf"
}
