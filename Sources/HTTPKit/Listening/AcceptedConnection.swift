import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The descriptor of a connection that was accepted. It is offered to event loops, and the first one takes it.
final class AcceptedConnection: Sendable {
    private let descriptor: Atomic<CInt>

    /// Owns the descriptor until somebody takes it.
    init(descriptor: CInt) { self.descriptor = Atomic(descriptor) }

    /// The descriptor, which the caller then owns; `nil` if it is taken already.
    func take() -> CInt? {
        let taken = descriptor.exchange(-1, ordering: .acquiringAndReleasing)
        return taken < 0 ? nil : taken
    }

    var isTaken: Bool { descriptor.load(ordering: .acquiring) < 0 }

    deinit {
        if let descriptor = take() { close(descriptor) }
    }
}
