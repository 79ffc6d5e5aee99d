import NIOPosix

/// Runs `work`, which may block, on a pool of threads beside the event loops, and returns its result.
///
/// Handlers run on event loops that many connections share; this is the way out for file systems, databases and
/// long computations. 64 may run at once, for what blocks needs threads and no processor; more wait for their turn.
public func offload<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result
{
    try await OffloadPool.shared.runIfActive(work)
}

/// The threads of `offload`. NIO's own pool has one per core: on two cores, two calls that wait for a database would
/// keep all the others waiting.
enum OffloadPool {
    static let threads = 64

    /// Started with the first work, and never ended: a program without `offload` has none of it.
    static let shared: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: threads)
        pool.start()
        return pool
    }()
}
