import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes lines to a file descriptor on another thread, so that a slow reader holds up no event loop.
///
/// Lines wait while the reader is slow, 4 MiB of them at most. Further ones are left out and counted.
public final class AccessLogOutput: Sendable {
    /// Standard output.
    public static let standard = AccessLogOutput(descriptor: 1)

    private static let maxWaiting = 4 << 20

    private struct State {
        var waiting: [UInt8] = []
        var isWriting = false
        var leftOut = 0
        var watchers: [Int: CheckedContinuation<Void, Never>] = [:]
        var lastWatcher = 0
        /// The last watcher whose time was over.
        var expired = 0
    }

    private let descriptor: CInt
    private let state = Mutex(State())
    /// A queue of its own: a write that waits for the reader keeps no thread from other work.
    private let queue = DispatchQueue(label: "AccessLogOutput")

    /// Writes to `descriptor`, which the caller owns.
    init(descriptor: CInt) { self.descriptor = descriptor }

    /// How many lines were left out so far, because too many waited or the descriptor is closed.
    public var leftOut: Int { state.withLock { $0.leftOut } }

    /// Writes a line, and does not wait for it.
    public func write(_ line: String) {
        let begins = state.withLock { state in
            guard state.waiting.count + line.utf8.count < Self.maxWaiting else {
                state.leftOut += 1
                return false
            }
            state.waiting += line.utf8
            state.waiting.append(UInt8(ascii: "\n"))
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begins { queue.async { self.writeAll() } }
    }

    /// Returns when every line has been written, or when `time` is over.
    package func flush(within time: Duration = .seconds(1)) async {
        let (id, isDone) = state.withLock { state in
            state.lastWatcher += 1
            return (state.lastWatcher, !state.isWriting)
        }
        if isDone { return }
        let timer = Task {
            try? await Task.sleep(for: time)
            state.withLock { state in
                state.expired = max(state.expired, id)
                return state.watchers.removeValue(forKey: id)
            }?.resume()
        }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                // The time may be over already.
                guard state.isWriting, id > state.expired else { return true }
                state.watchers[id] = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
        timer.cancel()
    }

    private func writeAll() {
        while true {
            let (bytes, watchers) = state.withLock { state in
                let bytes = state.waiting
                state.waiting = []
                guard bytes.isEmpty else { return (bytes, [CheckedContinuation<Void, Never>]()) }
                state.isWriting = false
                let watchers = Array(state.watchers.values)
                state.watchers = [:]
                return (bytes, watchers)
            }
            for watcher in watchers { watcher.resume() }
            if bytes.isEmpty { return }
            send(bytes)
        }
    }

    private func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            // write(2) reads the bytes before it returns.
            let count = rest.withUnsafeBytes { writeOut(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let lines = rest.count { $0 == UInt8(ascii: "\n") }
                return state.withLock { $0.leftOut += lines }
            }
            rest = rest.dropFirst(count)
        }
    }
}

/// write(2), which the method of that name hides.
private func writeOut(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
