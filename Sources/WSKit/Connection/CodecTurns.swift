import DequeModule
import HTTPKit
import NIOCore

/// Shares the time of an event loop between the sockets that compress and decompress there and all else that the loop
/// serves: when the bytes of a turn are spent, the sockets wait, and go on one after the other after a pause in which the
/// loop reads and writes for everybody.
///
/// Invariant: touched on its event loop only.
final class CodecTurns: @unchecked Sendable {
    /// Somebody who waits for a turn.
    enum Waiter {
        /// A socket with messages to decompress.
        case connection(WebSocketConnection)
        /// A sender with a message of that size to compress.
        case sender(UnsafeContinuation<Void, Never>, Int)
    }

    /// What each socket may decompress in a turn that is spent, so that small messages do not wait behind large ones.
    static let quantum = 16 << 10
    private static let pause = TimeAmount.milliseconds(1)

    private unowned let loop: LoopContext
    private let work: CodecWork
    private var waiting = Deque<(waiter: Waiter, limit: Int)>()
    /// Tells one turn from the next.
    private(set) var number: UInt32 = 0
    private var isGranting = false
    private var isScheduled = false

    private init(loop: LoopContext, work: CodecWork) {
        self.loop = loop
        self.work = work
    }

    /// Those of a loop, by the work of its codecs.
    static func on(_ loop: LoopContext, _ work: CodecWork) -> CodecTurns {
        let key = ObjectIdentifier(CodecTurns.self)
        if let known = loop.extensions[key] as? CodecTurns { return known }
        let made = CodecTurns(loop: loop, work: work)
        loop.extensions[key] = made
        return made
    }

    /// How many bytes went through the codecs in this turn.
    var worked: Int { work.bytes }

    /// Nothing is left of this turn.
    func isSpent(limit: Int) -> Bool { worked >= limit || !waiting.isEmpty }

    /// How many bytes a socket may decompress now that has done so many in this turn.
    func grant(used: Int, limit: Int) -> Int {
        let left = waiting.isEmpty || isGranting ? limit - worked : 0
        return max(left, Self.quantum - used)
    }

    /// Lets a socket or a sender go on in a later turn.
    func wait(_ waiter: Waiter, limit: Int) {
        waiting.append((waiter, limit))
        schedule()
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        // A task that is executed without a pause would run before the loop looks at its descriptors again.
        // The loop's context is kept for it, which may have been given up by then.
        loop.eventLoop.scheduleTask(in: Self.pause) { [self, loop] in begin(on: loop) }
    }

    private func begin(on loop: LoopContext) {
        isScheduled = false
        number &+= 1
        work.bytes = 0
        loop.turn {
            // The first one always has its turn, whatever the limit.
            var isFirst = true
            while let next = waiting.first, isFirst || worked < next.limit {
                isFirst = false
                waiting.removeFirst()
                switch next.waiter {
                case .connection(let connection):
                    isGranting = true
                    connection.endRest()
                    isGranting = false
                case .sender(let continuation, let count):
                    // It compresses behind this loop; until then its bytes count already.
                    work.bytes &+= count
                    continuation.resume()
                }
            }
        }
        if !waiting.isEmpty { schedule() }
    }
}

/// Sockets whose messages are compressed give way to others.
extension WebSocketConnection {
    /// How this socket takes turns with the others of its loop; nil without compression.
    var turns: CodecTurns? { machine.codecWork.map { CodecTurns.on(loop, $0) } }

    /// What a socket may do at once.
    struct Share {
        let turns: CodecTurns
        /// How much work the codecs had done when it began.
        let start: Int
        /// How much may be added to it.
        let size: Int

        var isSpent: Bool { turns.worked - start >= size }
    }

    /// Begins to decompress; nil when this socket has to wait for a turn, which it does then.
    func beginShare(_ turns: CodecTurns) -> Share? {
        if codecTurn != turns.number {
            codecTurn = turns.number
            codecUsed = 0
        }
        let size = turns.grant(used: Int(codecUsed), limit: limits.codecBytesPerTurn)
        guard size > 0 else {
            if hasUndecoded { rest(turns) }
            return nil
        }
        machine.inflateQuota = size
        return Share(turns: turns, start: turns.worked, size: size)
    }

    /// Notes what was done, and waits for a turn when there is more to do.
    func endShare(_ share: Share) {
        codecUsed = UInt32(clamping: Int(codecUsed) + share.turns.worked - share.start)
        let inflated = share.size - machine.inflateQuota
        if inflated > 0, payInflated(inflated) { return }
        if hasUndecoded, machine.inflateQuota <= 0 || share.isSpent { rest(share.turns) }
    }

    private func rest(_ turns: CodecTurns) {
        isResting = true
        turns.wait(.connection(self), limit: limits.codecBytesPerTurn)
    }

    func endRest() {
        isResting = false
        process()
    }

    /// Counts decompressed bytes; true when this socket has had more than its rate, and rests until that is made up for.
    private func payInflated(_ count: Int) -> Bool {
        guard let rate = limits.maxInflatedBytesPerSecond else { return false }
        let second = 1_000_000_000.0
        let now = Int64(clamping: loop.now.milliseconds) &* 1_000_000
        // The time at which all would have come at that rate may be a second away.
        let cost = Int64(min(Double(count) / Double(max(1, rate)), 3600) * second)
        inflatedUntil = max(inflatedUntil, now) &+ cost
        let excess = inflatedUntil &- now &- Int64(second)
        guard excess > 0, case .open = phase else { return false }
        isResting = true
        loop.eventLoop.scheduleTask(in: .nanoseconds(excess)) { [self] in
            loop.turn { endRest() }
        }
        return true
    }

    /// Waits before a large message is compressed, when this turn is spent.
    @inline(never)
    func waitForTurn(_ count: Int) async {
        guard let turns, turns.isSpent(limit: limits.codecBytesPerTurn) else { return }
        await withUnsafeContinuation { continuation in
            turns.wait(.sender(continuation, count), limit: limits.codecBytesPerTurn)
        }
    }
}
