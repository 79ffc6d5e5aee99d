import DequeModule
import HTTPKit
import NIOCore

/// Shares the time of an event loop between sockets that compress or decompress and everything else on the loop.
///
/// Each turn has a budget of bytes. When it is used up, sockets wait. After a pause, in which the loop reads and writes
/// for all connections, the waiting sockets continue one after the other.
///
/// Invariant: all state is accessed on its event loop only.
final class CodecTurns {
    /// A waiting socket or sender.
    enum Waiter {
        /// A socket with messages to decompress.
        case connection(WebSocketConnection)
        /// A sender with a message of this size to compress.
        case sender(UnsafeContinuation<Void, Never>, Int)
    }

    /// How many bytes each socket may decompress in a turn whose budget is used up, so that small messages do not wait
    /// behind large ones.
    static let quantum = 16 << 10
    private static let pause = TimeAmount.milliseconds(1)

    private unowned let loop: LoopContext
    private let work: CodecWork
    private var waiting = Deque<(waiter: Waiter, limit: Int)>()
    /// The number of the current turn.
    private(set) var number: UInt32 = 0
    private var isGranting = false
    private var isScheduled = false

    init(loop: LoopContext, work: CodecWork) {
        self.loop = loop
        self.work = work
    }

    /// How many bytes were compressed and decompressed in this turn.
    var processedBytes: Int { work.bytes }

    /// Whether the budget of this turn is used up.
    func isSpent(limit: Int) -> Bool { processedBytes >= limit || !waiting.isEmpty }

    /// How many bytes a socket may decompress now.
    ///
    /// - Parameter used: how many it has decompressed in this turn.
    func grant(used: Int, limit: Int) -> Int {
        let left = waiting.isEmpty || isGranting ? limit - processedBytes : 0
        return max(left, Self.quantum - used)
    }

    /// Lets a socket or a sender continue in a later turn.
    func wait(_ waiter: Waiter, limit: Int) {
        waiting.append((waiter, limit))
        schedule()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        // Without a pause, the task would run before the loop polls its descriptors again. The task keeps the loop's
        // context alive, which might be released before it runs.
        loop.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { [self, loop] in begin(on: loop) }
    }

    private func begin(on loop: LoopContext) {
        isScheduled = false
        number &+= 1
        work.bytes = 0
        loop.turn {
            // The first waiter always continues, whatever the limit is.
            var isFirst = true
            while let next = waiting.first, isFirst || processedBytes < next.limit {
                isFirst = false
                waiting.removeFirst()
                switch next.waiter {
                case .connection(let connection):
                    isGranting = true
                    connection.resumeDecoding()
                    isGranting = false
                case .sender(let continuation, let count):
                    // The sender compresses after this `while` loop, but its bytes count from now on.
                    work.bytes &+= count
                    continuation.resume()
                }
            }
        }
        if !waiting.isEmpty { schedule() }
    }
}

/// Taking turns with the other sockets of the event loop.
extension WebSocketConnection {
    /// The turns of the event loop; `nil` without compression.
    var turns: CodecTurns? { machine.codecWork == nil ? nil : sockets.turns }

    /// What a socket has decompressed.
    struct CodecUse {
        /// The turn in which this socket last decompressed, and how many bytes it processed in it.
        var turn: UInt32 = 0
        var bytes: UInt32 = 0
        /// When all bytes so far would have been decompressed at `WSLimits.maxInflatedBytesPerSecond`, in nanoseconds.
        var paidUntil: Int64 = 0
    }

    /// A socket's share of a turn.
    struct Share {
        let turns: CodecTurns
        /// The turn's processed bytes when the share began.
        let start: Int
        /// How many bytes the socket may process.
        let size: Int

        var isSpent: Bool { turns.processedBytes - start >= size }
    }

    /// Begins to decompress. Returns `nil` if this socket must wait; it is then queued for a later turn.
    func beginShare(_ turns: CodecTurns) -> Share? {
        if codecUse.turn != turns.number {
            codecUse.turn = turns.number
            codecUse.bytes = 0
        }
        let size = turns.grant(used: Int(codecUse.bytes), limit: limits.codecBytesPerTurn)
        guard size > 0 else {
            if hasUndecoded { pauseDecoding(turns) }
            return nil
        }
        machine.inflateQuota = size
        return Share(turns: turns, start: turns.processedBytes, size: size)
    }

    /// Records the work that was done, and queues the socket for a later turn if there is more to do.
    func endShare(_ share: Share) {
        codecUse.bytes = UInt32(clamping: Int(codecUse.bytes) + share.turns.processedBytes - share.start)
        let inflated = share.size - machine.inflateQuota
        if inflated > 0, exceedsInflateRate(inflated) { return }
        if hasUndecoded, machine.inflateQuota <= 0 || share.isSpent { pauseDecoding(share.turns) }
    }

    private func pauseDecoding(_ turns: CodecTurns) {
        input.isDecodingPaused = true
        turns.wait(.connection(self), limit: limits.codecBytesPerTurn)
    }

    func resumeDecoding() {
        input.isDecodingPaused = false
        process()
    }

    /// Counts decompressed bytes. If they exceed the socket's rate, pauses decoding until the average is back within the
    /// limit, and returns `true`.
    private func exceedsInflateRate(_ count: Int) -> Bool {
        guard let rate = limits.maxInflatedBytesPerSecond else { return false }
        let second = 1_000_000_000.0
        let now = Int64(clamping: loop.now.milliseconds) &* 1_000_000
        // `paidUntil` may be up to a second ahead.
        let cost = Int64(min(Double(count) / Double(max(1, rate)), 3600) * second)
        codecUse.paidUntil = max(codecUse.paidUntil, now) &+ cost
        let excess = codecUse.paidUntil &- now &- Int64(second)
        guard excess > 0, case .open = phase else { return false }
        input.isDecodingPaused = true
        loop.eventLoop.scheduleTask(in: .nanoseconds(excess)) { [self] in
            loop.turn { resumeDecoding() }
        }
        return true
    }

    /// Waits for a turn before compressing a large message, if the current turn's budget is used up.
    @inline(never)
    func waitForTurn(_ count: Int) async {
        guard let turns, turns.isSpent(limit: limits.codecBytesPerTurn) else { return }
        await withUnsafeContinuation { continuation in
            turns.wait(.sender(continuation, count), limit: limits.codecBytesPerTurn)
        }
    }
}
