import DequeModule
package import NIOCore
package import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
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

/// What the connections of one event loop share: the executor that runs their handlers on the loop, the clock,
/// the flush at the end of a turn, and the counters.
///
/// A turn is what the loop does for one event: one read of a connection, for instance, the handlers that it wakes, and
/// the flush behind them. A turn has a time budget, `HTTPLimits.turnBudget`. Code that works through much input calls
/// `spend(octets:)`, and where that says so, puts the rest off to a later turn with `giveWay(_:)`.
///
/// Invariant: everything mutable is touched on the event loop only, which debug builds assert; `enqueue` is the
/// one entrance from other threads. `@exclusivity(unchecked)` as in `HTTPConnection`: no access calls out.
package final class LoopContext: LoopWork, @unchecked Sendable {
    package let eventLoop: any EventLoop
    /// The log lines that clients can cause, of all loops of the server.
    package let clientLog: ClientLog
    /// What happened on this loop, to be read on it.
    @exclusivity(unchecked) package var statistics = LoopStatistics()
    /// Called with the label of the handler that held the loop longer than `blockingThreshold`.
    @exclusivity(unchecked) package var onBlockedLoop:
        (@Sendable (_ milliseconds: Int64, _ route: String) -> Void)?
    /// Room for what other modules keep per loop, by the type that keeps it.
    package var extensions: [ObjectIdentifier: AnyObject] = [:]
    /// Moves the clock of this loop ahead, in milliseconds: tests pass time with it.
    @exclusivity(unchecked) package var clockOffset: Int64 = 0
    @exclusivity(unchecked) private var turnBegan = LoopInstant.now
    /// When the server is to be gone, once it is told to go.
    package private(set) var drainDeadline: LoopInstant?

    /// Whether the server is told to go; read by any thread.
    package let isDraining = Atomic(false)

    /// About how many octets of other threads' messages are on their way to this loop; touched by any thread.
    package let queuedOctets = Atomic(0)

    @exclusivity(unchecked) private var jobs = Deque<LoopJob>()
    @exclusivity(unchecked) private var unflushed: [any LoopMember] = []
    @exclusivity(unchecked) private var members: [any LoopMember] = []
    @exclusivity(unchecked) private var turnDepth = 0
    private var isTurnScheduled = false
    private var ticker: RepeatedTask?
    private var dateIsGoodUntil = LoopInstant(milliseconds: .min)
    @exclusivity(unchecked) private var cachedDateLine = DateLine(secondsSinceEpoch: 0)
    @exclusivity(unchecked) private var spareBuffers: [ByteBuffer] = []
    @exclusivity(unchecked) private var idleWorkers: [Worker] = []

    // The budget of a turn, and the watchdog.
    private let turnBudget: Int64
    /// Whether this turn has used up its budget: whoever has more to do gives way.
    @exclusivity(unchecked) private(set) var isTurnSpent = false
    /// How many octets were worked on since the last look at the clock.
    @exclusivity(unchecked) private var octetsSinceLook = 0
    /// Whose code runs, or has run last in this turn.
    @exclusivity(unchecked) private var unitOwner: (any LoopWork)?
    @exclusivity(unchecked) private var unitBegan = LoopInstant.now
    /// Work that was put off to later turns.
    @exclusivity(unchecked) private var deferred = Deque<() -> Void>()
    @exclusivity(unchecked) private var isDeferredScheduled = false

    private static let jobsPerTurn = 4096
    private static let maxIdleWorkers = 32
    private static let tickInterval = TimeAmount.milliseconds(500)
    private static let blockingThreshold: Int64 = 100
    private static let octetsPerLook = 64 << 10
    /// Long enough to lie in the future when the loop looks for tasks that are due, so that it polls its sockets first.
    private static let deferral = TimeAmount.microseconds(50)

    /// - Parameter turnBudget: how long one connection may work in one turn, as in `HTTPLimits`.
    package init(
        eventLoop: any EventLoop, clientLog: ClientLog = ClientLog(rate: HTTPLimits().clientErrorLogRate),
        turnBudget: Duration = HTTPLimits().turnBudget
    ) {
        self.eventLoop = eventLoop
        self.clientLog = clientLog
        self.turnBudget = LoopInstant(milliseconds: 0).advanced(by: turnBudget).milliseconds
    }

    // MARK: The executor

    package func enqueue(_ job: consuming ExecutorJob) {
        enqueue(UnownedJob(job), of: self)
    }

    /// Runs `job` on this loop. Any thread may call it.
    ///
    /// - Parameter owner: the executor of the job's task.
    package func enqueue(_ job: UnownedJob, of owner: any LoopWork) {
        let job = LoopJob(job: job, owner: owner)
        guard eventLoop.inEventLoop else {
            return eventLoop.execute { self.turn { self.run(job) } }
        }
        jobs.append(job)
        scheduleTurn()
    }

    /// The label of tasks that belong to no connection.
    package var label: String { "" }

    /// Runs `body` as a turn of the loop: behind it, the jobs that it woke run, and what they wrote is flushed once.
    package func turn(_ body: () -> Void) {
        eventLoop.assertInEventLoop()
        guard turnDepth == 0 else { return body() }
        turnDepth = 1
        turnBegan = clock
        unitBegan = turnBegan
        isTurnSpent = false
        octetsSinceLook = 0
        body()
        runJobs()
        turnDepth = 0
        // Behind a finished unit there is nothing but the flush.
        if unitOwner != nil {
            let held = clock.milliseconds &- unitBegan.milliseconds
            if held > Self.blockingThreshold { tellOfBlocking(held) }
            unitOwner = nil
        }
        if isTurnSpent { scheduleDeferred() }
    }

    private func run(_ job: LoopJob) {
        begin(job.owner)
        job.job.runSynchronously(on: job.owner.asUnownedTaskExecutor())
    }

    private func runJobs() {
        var budget = Self.jobsPerTurn
        repeat {
            while budget > 0, !isTurnSpent, let job = jobs.popFirst() {
                run(job)
                budget -= 1
                if budget & 3 == 0 { endUnit() }
            }
            flushAll()
        } while budget > 0 && !isTurnSpent && !jobs.isEmpty
        // The next turn runs them.
        if !jobs.isEmpty { giveWay {} }
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

    private func scheduleTurn() {
        guard turnDepth == 0, !isTurnScheduled else { return }
        isTurnScheduled = true
        eventLoop.execute {
            self.isTurnScheduled = false
            self.turn {}
        }
    }

    // MARK: Units of work

    private var clock: LoopInstant {
        LoopInstant(milliseconds: LoopInstant.now.milliseconds &+ clockOffset)
    }

    /// The code of `owner` runs from here on: the watchdog names the owner when it holds the loop.
    package func begin(_ owner: any LoopWork) {
        guard unitOwner !== owner else { return }
        // The time before belongs to another owner. Nobody's time is that of the loop itself, and short.
        if unitOwner != nil { endUnit() }
        unitOwner = owner
    }

    /// A unit of work is done, such as one request: it is reported when it has held the loop, and the budget of the turn
    /// is looked at. This reads the clock.
    @inline(never)
    func endUnit() {
        let time = clock.milliseconds
        let held = time &- unitBegan.milliseconds
        unitBegan = LoopInstant(milliseconds: time)
        if held > Self.blockingThreshold { tellOfBlocking(held) }
        if time &- turnBegan.milliseconds >= turnBudget { isTurnSpent = true }
    }

    /// The last unit of its owner is done.
    func finishUnit() {
        endUnit()
        unitOwner = nil
    }

    @inline(never)
    private func tellOfBlocking(_ milliseconds: Int64) {
        onBlockedLoop?(milliseconds, unitOwner?.label ?? "")
    }

    /// Counts `octets` of work against the budget of this turn. The clock is read once per 64 KiB, so that it may be
    /// called often.
    ///
    /// - Returns: whether the budget is used up. A connection that has more to do then stops, also stops reading from its
    ///   channel, and goes on by `giveWay(_:)`.
    package func spend(octets: Int) -> Bool {
        octetsSinceLook &+= octets
        if octetsSinceLook >= Self.octetsPerLook {
            octetsSinceLook = 0
            if clock.milliseconds &- turnBegan.milliseconds >= turnBudget { isTurnSpent = true }
        }
        return isTurnSpent
    }

    /// Runs `body` as a turn of its own, after the loop has looked at the sockets of its other connections.
    ///
    /// `EventLoop.execute` and `Task.yield` do not let them go first: NIO runs all tasks that are due, and those that
    /// they submit, before it polls again. Bodies run in the order in which they were put off.
    package func giveWay(_ body: @escaping () -> Void) {
        eventLoop.assertInEventLoop()
        deferred.append(body)
        isTurnSpent = true
        if turnDepth == 0 { scheduleDeferred() }
    }

    /// Whether work was put off to a later turn.
    package var hasDeferredWork: Bool { !deferred.isEmpty }

    /// The pause begins when the work before it is done.
    @inline(never)
    private func scheduleDeferred() {
        guard !deferred.isEmpty, !isDeferredScheduled else { return }
        isDeferredScheduled = true
        eventLoop.scheduleTask(in: Self.deferral) { self.runDeferred() }
    }

    /// Runs what was put off before this call, for about as long as one turn may last.
    private func runDeferred() {
        let began = clock.milliseconds
        for _ in 0..<deferred.count {
            if let body = deferred.popFirst() { turn(body) }
            if clock.milliseconds &- began >= turnBudget { break }
        }
        isDeferredScheduled = false
        scheduleDeferred()
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
        isDraining.store(true, ordering: .relaxed)
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
            #if os(Linux)
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
