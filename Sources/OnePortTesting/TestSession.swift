import NIOCore
import Synchronization

/// The connections that one call of `App.test` has opened. All of them are closed when the call returns.
final class TestSession: Sendable {
    private enum State {
        case running([ObjectIdentifier: any Channel])
        case ended
    }

    private let state = Mutex(State.running([:]))

    /// Whether the call has returned.
    var isEnded: Bool {
        state.withLock { state in
            if case .ended = state { true } else { false }
        }
    }

    /// Throws if the call has returned.
    func check() throws(TestClientError) {
        if isEnded { throw .ended }
    }

    /// Adds a connection. It is removed when it closes.
    func add(_ channel: any Channel) throws(TestClientError) {
        let isTaken = state.withLock { state in
            guard case .running(var channels) = state else { return false }
            channels[ObjectIdentifier(channel)] = channel
            state = .running(channels)
            return true
        }
        guard isTaken else {
            channel.close(promise: nil)
            throw .ended
        }
        channel.closeFuture.whenComplete { _ in self.remove(channel) }
    }

    private func remove(_ channel: any Channel) {
        state.withLock { state in
            guard case .running(var channels) = state else { return }
            channels[ObjectIdentifier(channel)] = nil
            state = .running(channels)
        }
    }

    /// Ends the session: no connection can be opened anymore, and the open ones are closed.
    ///
    /// - Parameter stop: shuts down the server. The connections that are still open afterwards are closed.
    func end(_ stop: () async -> Void) async {
        let open = state.withLock { state -> [any Channel] in
            defer { state = .ended }
            if case .running(let channels) = state { return Array(channels.values) }
            return []
        }
        await stop()
        for channel in open { try? await channel.close() }
    }
}
