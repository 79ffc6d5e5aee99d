import DequeModule
import HTTPTypes
package import NIOCore
package import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Something that lives on one event loop and is told of time and of the end.
package protocol LoopMember: AnyObject {
    /// Where the member stands in its context's table; the context's alone.
    var memberIndex: Int { get set }
    /// Called about twice a second with the loop's clock.
    func tick(now: LoopInstant)
    /// The server is shutting down: finish what is in flight and end by `deadline`.
    func drain(deadline: LoopInstant)
    /// Sends what has gathered since the last flush.
    func flush()
}

/// A point on the monotonic clock, in milliseconds, as coarse as timeouts need.
package struct LoopInstant: Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Reads the coarse clock, which costs a few nanoseconds and is right to 4 ms.
    package static var now: LoopInstant {
        var time = timespec()
        #if canImport(Glibc)
            clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        #else
            clock_gettime(CLOCK_MONOTONIC, &time)
        #endif
        return LoopInstant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Later than every point that a timeout can reach.
    package static let never = LoopInstant(milliseconds: .max)

    package static func < (left: LoopInstant, right: LoopInstant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The point that many milliseconds later; never past `never`.
    package func advanced(byMilliseconds duration: Int64) -> LoopInstant {
        let (sum, overflow) = milliseconds.addingReportingOverflow(max(0, duration))
        return overflow ? .never : LoopInstant(milliseconds: sum)
    }

    /// The point that much later; never before this one, never past `never`.
    package func advanced(by duration: Duration) -> LoopInstant {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = max(0, seconds).multipliedReportingOverflow(by: 1000)
        let (sum, carry) = milliseconds.addingReportingOverflow(whole)
        guard !overflow, !carry, sum < .max - 1000 else { return .never }
        return LoopInstant(milliseconds: sum + max(0, attoseconds) / 1_000_000_000_000_000)
    }
}

/// What the connections of one event loop share: the executor that runs their handlers on the loop, the clock,
/// the flush at the end of a turn, and the counters.
///
/// Invariant: everything mutable is touched on the event loop only, which debug builds assert; `enqueue` is the
/// one entrance from other threads. `@exclusivity(unchecked)` as in `HTTPConnection`: no access calls out.
package final class LoopContext: TaskExecutor, @unchecked Sendable {
    package let eventLoop: any EventLoop
    /// The log lines that clients can cause, of all loops of the server.
    package let clientLog: ClientLog
    /// What happened on this loop, to be read on it.
    @exclusivity(unchecked) package var statistics = LoopStatistics()
    /// Called with the route of a handler that held the loop longer than `blockingThreshold`.
    @exclusivity(unchecked) package var onBlockedLoop:
        (@Sendable (_ milliseconds: Int64, _ route: String) -> Void)?
    /// The request that was begun last in this turn, for the watchdog's log.
    @exclusivity(unchecked) package var lastRequest: Request?
    /// Room for what other modules keep per loop, by the type that keeps it.
    package var extensions: [ObjectIdentifier: AnyObject] = [:]
    @exclusivity(unchecked) private var turnBegan = LoopInstant.now
    /// When the server is to be gone, once it is told to go.
    package private(set) var drainDeadline: LoopInstant?

    /// About how many octets of other threads' messages are on their way to this loop; touched by any thread.
    package let queuedOctets = Atomic(0)

    @exclusivity(unchecked) private var jobs = Deque<UnownedJob>()
    @exclusivity(unchecked) private var unflushed: [any LoopMember] = []
    @exclusivity(unchecked) private var members: [any LoopMember] = []
    @exclusivity(unchecked) private var turnDepth = 0
    private var isTurnScheduled = false
    private var ticker: RepeatedTask?
    private var dateIsGoodUntil = LoopInstant(milliseconds: .min)
    @exclusivity(unchecked) private var cachedDateLine = DateLine(secondsSinceEpoch: 0)
    @exclusivity(unchecked) private var spareBuffers: [ByteBuffer] = []
    @exclusivity(unchecked) private var idleWorkers: [Worker] = []

    private static let jobsPerTurn = 4096
    private static let maxIdleWorkers = 32
    private static let tickInterval = TimeAmount.milliseconds(500)
    private static let blockingThreshold: Int64 = 100

    package init(
        eventLoop: any EventLoop, clientLog: ClientLog = ClientLog(rate: HTTPLimits().clientErrorLogRate)
    ) {
        self.eventLoop = eventLoop
        self.clientLog = clientLog
    }

    // MARK: The executor

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.turn { job.runSynchronously(on: self.asUnownedTaskExecutor()) } }
            return
        }
        jobs.append(job)
        scheduleTurn()
    }

    /// Runs `body` as a turn of the loop: behind it, the jobs that it woke run, and what they wrote is flushed once.
    package func turn(_ body: () -> Void) {
        eventLoop.assertInEventLoop()
        guard turnDepth == 0 else { return body() }
        turnDepth = 1
        turnBegan = LoopInstant.now
        body()
        runJobs()
        turnDepth = 0
        let held = LoopInstant.now.milliseconds - now.milliseconds
        if held > Self.blockingThreshold {
            onBlockedLoop?(held, lastRequest.map { "\($0.method.rawValue) \($0.path)" } ?? "")
        }
        lastRequest = nil
    }

    /// Runs the jobs that wait now, and none that they wake.
    func runWaitingJobs() {
        let executor = asUnownedTaskExecutor()
        for _ in 0..<jobs.count { jobs.popFirst()?.runSynchronously(on: executor) }
    }

    private func runJobs() {
        var budget = Self.jobsPerTurn
        let executor = asUnownedTaskExecutor()
        repeat {
            while budget > 0, let job = jobs.popFirst() {
                job.runSynchronously(on: executor)
                budget -= 1
            }
            flushAll()
        } while budget > 0 && !jobs.isEmpty
        if !jobs.isEmpty { scheduleTurn(force: true) }
    }

    private func flushAll() {
        // A member may ask again, or another one, while it is flushed.
        var next = 0
        while next < unflushed.count {
            let member = unflushed[next]
            next &+= 1
            member.flush()
        }
        unflushed.removeAll(keepingCapacity: true)
    }

    private func scheduleTurn(force: Bool = false) {
        guard force || turnDepth == 0, !isTurnScheduled else { return }
        isTurnScheduled = true
        eventLoop.execute {
            self.isTurnScheduled = false
            self.turn {}
        }
    }

    /// Has `member` flushed at the end of this turn; a member asks once per turn.
    package func flushLater(_ member: any LoopMember) {
        eventLoop.assertInEventLoop()
        unflushed.append(member)
        scheduleTurn()
    }

    // MARK: Members and time

    /// When this turn of the loop began: the time that timeouts are counted from.
    package var now: LoopInstant { turnBegan }

    /// How many members there are.
    package var memberCount: Int { members.count }

    package func add(_ member: any LoopMember) {
        eventLoop.assertInEventLoop()
        member.memberIndex = members.count
        members.append(member)
        guard ticker == nil else { return }
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: Self.tickInterval, delay: Self.tickInterval) {
            _ in
            self.turn { self.tickMembers() }
        }
    }

    package func remove(_ member: any LoopMember) {
        eventLoop.assertInEventLoop()
        let index = member.memberIndex
        guard members.indices.contains(index), members[index] === member else { return }
        let last = members.removeLast()
        if last !== member {
            members[index] = last
            last.memberIndex = index
        }
        member.memberIndex = -1
        if members.isEmpty {
            ticker?.cancel()
            ticker = nil
            let workers = idleWorkers
            idleWorkers = []
            for worker in workers { worker.wake() }
        }
    }

    private func tickMembers() {
        let now = now
        for member in members { member.tick(now: now) }
    }

    /// Tells every member that the server is going.
    package func drain(deadline: LoopInstant) {
        drainDeadline = deadline
        turn { for member in members { member.drain(deadline: deadline) } }
    }

    // MARK: What other threads ask for

    /// Runs `body` as a task on this loop, which is cancelled with the caller's.
    package func run<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let task = Task(executorPreference: self) { try await body() }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    // MARK: What is counted

    // An access to a stored property from another module is checked for overlaps each time; a call is not.

    package func countReceived(octets: Int) { statistics.bytesIn &+= octets }
    package func countSent(octets: Int) { statistics.bytesOut &+= octets }
    package func countReceivedMessage() { statistics.messagesIn &+= 1 }
    package func countSentMessage() { statistics.messagesOut &+= 1 }

    // MARK: What is shared

    /// `Date: …` and its line end (RFC 9110 §6.6.1), made anew once a second.
    package var dateLine: DateLine {
        if now >= dateIsGoodUntil {
            var time = timespec()
            #if canImport(Glibc)
                clock_gettime(CLOCK_REALTIME_COARSE, &time)
            #else
                clock_gettime(CLOCK_REALTIME, &time)
            #endif
            cachedDateLine = DateLine(secondsSinceEpoch: Int64(time.tv_sec))
            dateIsGoodUntil = now.advanced(byMilliseconds: 1000 - Int64(time.tv_nsec) / 1_000_000)
        }
        return cachedDateLine
    }

    /// A worker that has nothing to do.
    func takeWorker() -> Worker {
        idleWorkers.popLast() ?? Worker(loop: self)
    }

    /// Keeps a worker that has nothing to do; `false` when there are enough, or nobody to work for.
    func park(_ worker: Worker) -> Bool {
        guard idleWorkers.count < Self.maxIdleWorkers, !members.isEmpty else { return false }
        idleWorkers.append(worker)
        return true
    }

    /// A buffer to gather writes in; give it back with `recycle` once it has been handed to the channel.
    package func takeBuffer() -> ByteBuffer {
        if var buffer = spareBuffers.popLast() {
            buffer.clear()
            return buffer
        }
        return ByteBufferAllocator().buffer(capacity: 4096)
    }

    /// Keeps a buffer for the next turn, unless it has grown large.
    package func recycle(_ buffer: consuming ByteBuffer) {
        if spareBuffers.count < 8, buffer.capacity <= 64 << 10 { spareBuffers.append(buffer) }
    }
}

/// What one loop has counted.
package struct LoopStatistics: Sendable {
    package var connections = 0
    package var requests = 0
    package var bytesIn = 0
    package var bytesOut = 0
    package var sockets = 0
    package var messagesIn = 0
    package var messagesOut = 0
    package var messagesDropped = 0
}
