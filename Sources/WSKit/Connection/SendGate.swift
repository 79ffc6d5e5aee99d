import Synchronization

/// What other threads may know of a socket's way out: `trySend` answers there without a hop, and what it has taken
/// for the loop is bounded.
final class SendGate: Sendable {
    private static let full = 1
    private static let closed = 2

    private let state = Atomic(0)
    /// Octets of messages on their way to the loop.
    private let octets = Atomic(0)

    /// The send buffer is full; set on the loop.
    var isFull: Bool {
        get { state.load(ordering: .relaxed) & Self.full != 0 }
        set { set(Self.full, newValue) }
    }

    /// The connection has ended; set on the loop.
    var isClosed: Bool {
        get { state.load(ordering: .relaxed) & Self.closed != 0 }
        set { set(Self.closed, newValue) }
    }

    private func set(_ bit: Int, _ isSet: Bool) {
        if isSet {
            state.bitwiseOr(bit, ordering: .relaxed)
        } else {
            state.bitwiseAnd(~bit, ordering: .relaxed)
        }
    }

    /// What a message takes on its way beside its octets, about: even empty ones are bounded.
    static let overhead = 128

    /// Asks for a message's way to the loop; `leave` is called there when it was given.
    func enter(_ count: Int, limit: Int) -> SendOutcome {
        if isClosed { return .closed }
        guard !isFull, octets.load(ordering: .relaxed) < limit else { return .full }
        octets.wrappingAdd(count + Self.overhead, ordering: .relaxed)
        return .sent
    }

    /// The message has come to the loop.
    func leave(_ count: Int) { octets.wrappingSubtract(count + Self.overhead, ordering: .relaxed) }
}
