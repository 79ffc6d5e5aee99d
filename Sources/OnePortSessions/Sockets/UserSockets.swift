import HTTPKit
import Synchronization
public import WSKit

/// The open sockets of users who have signed in. Signing out closes them.
public final class UserSockets: Sendable {
    private let sockets = Mutex<[String: [WebSocketID: WebSocket]]>([:])

    /// No sockets.
    public init() {}

    /// How many sockets a user has.
    public func count(of user: String) -> Int { sockets.withLock { $0[user]?.count ?? 0 } }

    /// Closes a user's sockets with 1008: when the account is blocked, for example. Signing out does it by itself.
    public func close(_ user: String) {
        let open = sockets.withLock { $0[user] ?? [:] }
        for socket in open.values { try? socket.beginClose(.policyViolation, reason: "signed out") }
    }

    func add(_ socket: WebSocket, of user: String) {
        sockets.withLock { $0[user, default: [:]][socket.id] = socket }
        let id = socket.id
        socket.onEnd { [weak self] in self?.remove(id, of: user) }
    }

    private func remove(_ id: WebSocketID, of user: String) {
        sockets.withLock { sockets in
            sockets[user]?[id] = nil
            if sockets[user]?.isEmpty == true { sockets[user] = nil }
        }
    }
}

extension WebSocket {
    /// Has this socket closed, with 1008, when its user signs out, and at once if the user has signed out meanwhile. Call it
    /// first in the socket's handler. Does nothing for a visitor.
    ///
    /// ```swift
    /// app.webSocket("/news", admit: { try $0.require(User.self) }) { socket in
    ///     try await socket.closeAtSignOut()
    ///     …
    /// }
    /// ```
    /// It sees sign-outs in this process: with several processes, tell the others, and call `UserSockets.close`. Sessions in
    /// cookies do not tell whether the user has signed out between the handshake and this call.
    ///
    /// - Throws: `SessionError.notConfigured` without the middleware `.sessions`, and what the store throws.
    public final func closeAtSignOut() async throws {
        guard let request else { return }
        let session = try request.session
        guard let user = session.user else { return }
        session.sockets.add(self, of: user)
        // A sign-out first removes the session and then closes the sockets, so one of the two sees the other.
        if try await !session.isCurrent() { try? beginClose(.policyViolation, reason: "signed out") }
    }
}
