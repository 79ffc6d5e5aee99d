import NIOPosix

/// Runs `work`, which may block, on a pool of threads beside the event loops, and returns its result.
///
/// Handlers run on event loops that many connections share; this is the way out for file systems, databases and
/// long computations. The pool is NIO's, of as many threads as there are cores.
public func offload<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result
{
    try await NIOThreadPool.singleton.runIfActive(work)
}
