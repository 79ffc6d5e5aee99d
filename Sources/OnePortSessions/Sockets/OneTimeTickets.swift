import DequeModule
import HTTPKit
import HTTPTypes
import Synchronization

/// Tickets that are valid once and for a short time: for sockets of clients that cannot send a cookie or an Authorization
/// field with the handshake, such as pages of another origin.
///
/// ```swift
/// let tickets = OneTimeTickets<User>()
/// app.post("/ticket") { .text(try tickets.issue($0.require(User.self))) }
/// app.webSocket("/news", admit: { try tickets.redeem($0.query["ticket"]) }) { socket in … }
/// ```
/// They are kept in memory, as digests: a ticket is redeemed in the process that has issued it.
public final class OneTimeTickets<Value: Sendable>: Sendable {
    private struct State {
        var entries: [String: Value] = [:]
        /// Digests in the order of their expiry.
        var order = Deque<(digest: String, expires: ContinuousClock.Instant)>()
    }

    private let lifetime: Duration
    private let capacity: Int
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())

    /// No tickets.
    ///
    /// - Parameters:
    ///   - lifetime: how long a ticket is valid.
    ///   - capacity: the most tickets that are kept, redeemed ones included until they expire.
    ///   - now: the clock.
    public init(
        lifetime: Duration = .seconds(30), capacity: Int = 10_000,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.lifetime = lifetime
        self.capacity = capacity
        self.now = now
    }

    /// A new ticket: 43 characters that may stand in a URL.
    ///
    /// - Throws: `HTTPFailure` (503) if there are too many.
    public func issue(_ value: Value) throws -> String {
        let ticket = Token.random()
        let digest = Token.digest(ticket)
        let now = now()
        let isIssued = state.withLock { state in
            Self.dropExpired(&state, now)
            guard state.order.count < capacity else { return false }
            let expires = now.advanced(by: lifetime)
            state.entries[digest] = value
            state.order.append((digest, expires))
            return true
        }
        guard isIssued else {
            throw HTTPFailure(.serviceUnavailable, "\(capacity) tickets are issued already")
        }
        return ticket
    }

    /// The value of a ticket, which is then not valid any more.
    ///
    /// - Throws: `Unauthenticated` (401) for a ticket that is missing, unknown, used or expired.
    public func redeem(_ ticket: String?) throws(Unauthenticated) -> Value {
        guard let ticket else { throw Unauthenticated() }
        let digest = Token.digest(ticket)
        let now = now()
        let value = state.withLock { state in
            Self.dropExpired(&state, now)
            return state.entries.removeValue(forKey: digest)
        }
        guard let value else { throw Unauthenticated(isRejected: true) }
        return value
    }

    private static func dropExpired(_ state: inout State, _ now: ContinuousClock.Instant) {
        while let first = state.order.first, first.expires <= now {
            state.order.removeFirst()
            state.entries[first.digest] = nil
        }
    }
}
