import Synchronization

/// The send state of a socket that other threads may read. With it `trySend` can return its result on any thread, and
/// the bytes on their way to the event loop are bounded.
final class SendGate: Sendable {
    private static let full = 1
    private static let closed = 2

    private let state = Atomic(0)
    /// The bytes of messages on their way to the event loop.
    private let reservedBytes = Atomic(0)

    /// Whether the send buffer is full. Set on the event loop.
    var isFull: Bool {
        get { state.load(ordering: .relaxed) & Self.full != 0 }
        set { set(Self.full, newValue) }
    }

    /// Whether the connection has ended. Set on the event loop.
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

    /// The approximate memory of a message beside its payload, so that the number of empty messages is bounded too.
    static let overhead = 128

    /// Reserves bytes for a message on its way to the event loop. If this returns `.sent`, call `release` on the loop.
    func reserve(_ count: Int, limit: Int) -> SendOutcome {
        if isClosed { return .closed }
        guard !isFull, reservedBytes.load(ordering: .relaxed) < limit else { return .full }
        reservedBytes.wrappingAdd(count + Self.overhead, ordering: .relaxed)
        return .sent
    }

    /// Releases the bytes of a message that has reached the event loop.
    func release(_ count: Int) { reservedBytes.wrappingSubtract(count + Self.overhead, ordering: .relaxed) }
}
