import NIOCore
import Synchronization

/// A large file whose digest is wanted.
struct PendingDigest: Sendable {
    let file: OpenFile
    let stamp: FileStamp
}

/// The digests of large files, by their stamps. Each is computed once, however many requests wait for it, by few threads
/// beside the event loops.
final class DigestStore: Sendable {
    private struct State {
        var known: [FileStamp: String] = [:]
        /// The digests under way, and who waits for them.
        var running: [FileStamp: [CheckedContinuation<Void, Never>]] = [:]
        var freeSlots: Int
        /// How many digests were begun.
        var begun = 0
        /// Who waits for a thread, the first first.
        var queue: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    private let maxCount: Int

    /// - Parameters:
    ///   - maxConcurrent: how many digests are computed at once.
    ///   - maxCount: how many digests are kept; over it one makes room for another.
    init(maxConcurrent: Int, maxCount: Int) {
        state = Mutex(State(freeSlots: max(1, maxConcurrent)))
        self.maxCount = max(1, maxCount)
    }

    /// The digest, when it is known.
    func value(for stamp: FileStamp) -> String? { state.withLock { $0.known[stamp] } }

    /// How many digests were begun so far.
    var begun: Int { state.withLock { $0.begun } }

    /// Computes the digest at once, on the caller's thread.
    func computeNow(_ pending: PendingDigest) {
        let digest = FileDigest.of(pending.file, stamp: pending.stamp)
        state.withLock { keep(digest, for: pending.stamp, in: &$0) }
    }

    /// Computes the digest, or waits until it is computed. It stays unknown when the file changes meanwhile.
    func compute(_ pending: PendingDigest) async {
        let isFirst = state.withLock { state in
            if state.known[pending.stamp] != nil || state.running[pending.stamp] != nil { return false }
            state.running[pending.stamp] = []
            state.begun += 1
            return true
        }
        guard isFirst else { return await wait(for: pending.stamp) }
        await takeSlot()
        let digest = try? await offload { FileDigest.of(pending.file, stamp: pending.stamp) }
        let (waiting, next) = state.withLock { state in
            keep(digest ?? nil, for: pending.stamp, in: &state)
            let next = state.queue.isEmpty ? nil : state.queue.removeFirst()
            if next == nil { state.freeSlots += 1 }
            return (state.running.removeValue(forKey: pending.stamp) ?? [], next)
        }
        next?.resume()
        for waiter in waiting { waiter.resume() }
    }

    private func wait(for stamp: FileStamp) async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.running[stamp] == nil { return true }
                state.running[stamp]?.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    private func takeSlot() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                if state.freeSlots > 0 {
                    state.freeSlots -= 1
                    return true
                }
                state.queue.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func keep(_ digest: String?, for stamp: FileStamp, in state: inout State) {
        guard let digest else { return }
        if state.known.count >= maxCount, let any = state.known.keys.first { state.known[any] = nil }
        state.known[stamp] = digest
    }
}

/// The digest for a strong entity tag: the first 128 bits of SHA-256, in hexadecimal.
enum FileDigest {
    /// The digest of a file's content; `nil` when the file changes while it is read.
    static func of(_ file: OpenFile, stamp: FileStamp) -> String? {
        var hash = SHA256()
        let step = 64 << 10
        var offset: Int64 = 0
        var piece = ByteBuffer()
        while offset < stamp.size {
            piece.clear()
            let count = piece.writeWithUnsafeMutableBytes(minimumWritableBytes: step) { target in
                file.read(into: UnsafeMutableRawBufferPointer(rebasing: target[..<step]), at: offset)
            }
            guard count > 0 else { return nil }
            hash.update(piece)
            offset += Int64(count)
        }
        return offset == stamp.size && file.currentStamp() == stamp ? text(&hash) : nil
    }

    /// The digest of content in memory.
    static func of(_ content: ByteBuffer) -> String {
        var hash = SHA256()
        hash.update(content)
        return text(&hash)
    }

    private static func text(_ hash: inout SHA256) -> String { String(hash.finishHex().prefix(32)) }
}
