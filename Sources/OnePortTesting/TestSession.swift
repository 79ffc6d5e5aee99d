import NIOCore
import Synchronization

/// The connections that one call of `App.test` has opened: all of them end with the call.
final class TestSession: Sendable {
    private enum State {
        case running([ObjectIdentifier: any Channel])
        case ended
    }

    private let state = Mutex(State.running([:]))

    /// Whether the call is over.
    var isEnded: Bool {
        state.withLock { state in
            if case .ended = state { true } else { false }
        }
    }

    /// Checks that the call is not over.
    func check() throws(TestClientError) {
        if isEnded { throw .ended }
    }

    /// Takes a connection, which leaves by itself when it closes.
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

    /// From now on nothing can be opened. What is open ends with `stop`.
    ///
    /// - Parameter stop: has the server close its side; the connections that are left then are closed here.
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
