import DequeModule
package import NIOCore
package import Synchronization

/// Gathers what it sends, and is told to send it at the end of a turn.
package protocol LoopFlushable: AnyObject {
    func flush()
}

/// What the connections of one event loop share: the executor that runs their handlers on the loop, its turns, the clock,
/// the members, and the counters.
///
/// A turn is what the loop does for one event: one read of a connection, for instance, the handlers that it wakes, and
/// the flush behind them. A turn has a time budget, `HTTPLimits.turnBudget`. Code that works through much input calls
/// `spend(bytes:)`, and where that says so, puts the rest off to a later turn with `giveWay(_:)`.
///
/// Invariant: everything mutable is touched on the event loop only, which debug builds assert; `enqueue` is the
/// one entrance from other threads. `@exclusivity(unchecked)` as in `HTTPConnection`: no access calls out.
package final class LoopContext: LoopWork, @unchecked Sendable {
    package let eventLoop: any EventLoop
    /// The log lines that clients can cause, of all loops of the server.
    package let clientLog: ClientLog
    /// What happened on this loop, to be read on it.
    @exclusivity(unchecked) package var statistics = LoopStatistics()
    /// How many connections are open on this loop; read by any thread.
    package let openConnections = Atomic<Int>(0)
    /// What other folders and modules keep for each loop; see `LoopLocal`.
    var locals: [ObjectIdentifier: any AnyObject] = [:]
    /// Called when the last member has left.
    var onIdle: (() -> Void)?
    /// Moves the clock of this loop ahead, in milliseconds: tests pass time with it.
    @exclusivity(unchecked) package var clockOffset: Int64 = 0
    /// When the server is to be gone, once it is told to go.
    @exclusivity(unchecked) package private(set) var drainDeadline: LoopInstant?
    /// Whether the server is told to go; read by any thread.
    package let isDraining = Atomic(false)

    @exclusivity(unchecked) private var jobs = Deque<LoopJob>()
    @exclusivity(unchecked) private var unflushed: [any LoopFlushable] = []
    @exclusivity(unchecked) private var deferred = DeferredWork()
    @exclusivity(unchecked) private var turn = Turn.none
    @exclusivity(unchecked) private var turnBegan = LoopInstant.now
    @exclusivity(unchecked) private var budget: TurnBudget
    @exclusivity(unchecked) private var watchdog = Watchdog()
    @exclusivity(unchecked) private var members = LoopMembers()
    @exclusivity(unchecked) private var date = DateClock()
    @exclusivity(unchecked) private var buffers = BufferPool()

    /// Whether a turn runs.
    private enum Turn {
        case none
        /// One has been asked for.
        case scheduled
        case running
    }

    private static let jobsPerTurn = 4096

    /// - Parameter turnBudget: how long one connection may work in one turn, as in `HTTPLimits`.
    package init(
        eventLoop: any EventLoop, clientLog: ClientLog = ClientLog(rate: HTTPLimits().clientErrorLogRate),
        turnBudget: Duration = HTTPLimits().turnBudget
    ) {
        self.eventLoop = eventLoop
        self.clientLog = clientLog
        budget = TurnBudget(turnBudget)
    }

    /// Called with the label of the handler that held the loop for more than 100 ms.
    package var onBlockedLoop: (@Sendable (_ milliseconds: Int64, _ route: String) -> Void)? {
        get { watchdog.report }
        set { watchdog.report = newValue }
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
        if case .running = turn { return body() }
        // A turn that has been asked for comes all the same, and finds less to do.
        let before = turn
        turn = .running
        turnBegan = clock
        watchdog.beginTurn(at: turnBegan)
        budget.begin()
        body()
        runJobs()
        turn = before
        // Behind a finished unit there is nothing but the flush.
        if watchdog.isWatching {
            watchdog.endUnit(at: clock)
            watchdog.endOwner()
        }
        if budget.isSpent { scheduleDeferred() }
    }

    private func run(_ job: LoopJob) {
        begin(job.owner)
        job.job.runSynchronously(on: job.owner.asUnownedTaskExecutor())
    }

    private func runJobs() {
        var left = Self.jobsPerTurn
        repeat {
            while left > 0, !budget.isSpent, let job = jobs.popFirst() {
                run(job)
                left -= 1
                if left & 3 == 0 { endUnit() }
            }
            flushAll()
        } while left > 0 && !budget.isSpent && !jobs.isEmpty
        // The next turn runs them.
        if !jobs.isEmpty { giveWay {} }
    }

    private func flushAll() {
        // One that is flushed may ask again, or for another one.
        var next = 0
        while next < unflushed.count {
            let one = unflushed[next]
            next &+= 1
            one.flush()
        }
        unflushed.removeAll(keepingCapacity: true)
    }

    private func scheduleTurn() {
        guard case .none = turn else { return }
        turn = .scheduled
        eventLoop.execute {
            if case .scheduled = self.turn { self.turn = .none }
            self.turn {}
        }
    }

    /// Has `flushable` flushed at the end of this turn. It asks once a turn.
    package func flushLater(_ flushable: any LoopFlushable) {
        eventLoop.assertInEventLoop()
        unflushed.append(flushable)
        scheduleTurn()
    }

    // MARK: Units of work

    var clock: LoopInstant {
        LoopInstant(milliseconds: LoopInstant.now.milliseconds &+ clockOffset)
    }

    /// The code of `owner` runs from here on: the watchdog names the owner when it holds the loop.
    package func begin(_ owner: any LoopWork) {
        guard !watchdog.isWatching(owner) else { return }
        // The time before belongs to another owner. Nobody's time is that of the loop itself, and short.
        if watchdog.isWatching { endUnit() }
        watchdog.begin(owner)
    }

    /// A unit of work is done, such as one request: it is reported when it has held the loop, and the budget of the turn
    /// is looked at. This reads the clock.
    @inline(never)
    func endUnit() {
        let time = clock
        watchdog.endUnit(at: time)
        budget.look(since: turnBegan, at: time)
    }

    /// The last unit of its owner is done.
    func finishUnit() {
        endUnit()
        watchdog.endOwner()
    }

    /// Whether this turn has used up its budget: whoever has more to do gives way.
    package var isTurnSpent: Bool { budget.isSpent }

    /// Counts `bytes` of work against the budget of this turn. The clock is read once per 64 KiB, so that it may be
    /// called often.
    ///
    /// - Returns: whether the budget is used up. A connection that has more to do then stops, also stops reading from its
    ///   channel, and goes on by `giveWay(_:)`.
    package func spend(bytes: Int) -> Bool {
        if budget.mustLook(afterBytes: bytes) { budget.look(since: turnBegan, at: clock) }
        return budget.isSpent
    }

    /// Runs `body` as a turn of its own, after the loop has looked at the sockets of its other connections.
    ///
    /// `EventLoop.execute` and `Task.yield` do not let them go first: NIO runs all tasks that are due, and those that
    /// they submit, before it polls again. Bodies run in the order in which they were put off.
    package func giveWay(_ body: @escaping () -> Void) {
        eventLoop.assertInEventLoop()
        deferred.append(body)
        budget.giveUp()
        if case .running = turn { return }
        scheduleDeferred()
    }

    /// Suspends the caller until the other connections of the loop have had their turn: a client that reads as fast as a
    /// handler writes never makes it wait.
    func passTurn() async {
        await withUnsafeContinuation { continuation in giveWay { continuation.resume() } }
    }

    /// Whether work was put off to a later turn.
    package var hasDeferredWork: Bool { !deferred.isEmpty }

    /// The pause begins when the work before it is done.
    @inline(never)
    private func scheduleDeferred() {
        deferred.schedule(on: eventLoop) { self.runDeferred() }
    }

    /// Runs what was put off before this call, for about as long as one turn may last.
    private func runDeferred() {
        let began = clock
        for _ in 0..<deferred.count {
            if let body = deferred.popFirst() { turn(body) }
            if budget.isOver(since: began, at: clock) { break }
        }
        deferred.hasRun()
        scheduleDeferred()
    }

    // MARK: Members and time

    /// When this turn of the loop began: the time that timeouts are counted from.
    package var now: LoopInstant { turnBegan }

    /// How many members there are.
    package var memberCount: Int { members.count }

    package func add(_ member: any LoopMember) {
        eventLoop.assertInEventLoop()
        members.add(member, on: eventLoop) { self.turn { self.tickMembers() } }
    }

    package func remove(_ member: any LoopMember) {
        eventLoop.assertInEventLoop()
        members.remove(member)
        if members.isEmpty { onIdle?() }
    }

    private func tickMembers() {
        let now = now
        for member in members.all { member.tick(now: now) }
    }

    /// Tells every member that the server is going.
    package func drain(deadline: LoopInstant) {
        drainDeadline = deadline
        isDraining.store(true, ordering: .relaxed)
        turn { for member in members.all { member.drain(deadline: deadline) } }
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

    // MARK: What is shared

    /// `Date: …` and its line end (RFC 9110 §6.6.1).
    package var dateLine: DateLine { date.line(at: now) }

    /// A buffer to gather writes in; give it back with `recycle` once it has been handed to the channel.
    package func takeBuffer() -> ByteBuffer { buffers.take() }

    /// Keeps a buffer for the next turn, unless it has grown large.
    package func recycle(_ buffer: consuming ByteBuffer) { buffers.giveBack(buffer) }
}
