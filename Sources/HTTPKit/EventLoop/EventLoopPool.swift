import NIOCore
package import NIOPosix
import Synchronization

/// Event loops that outlive those who use them.
///
/// A loop that is shut down drops what it is given: a task that waits for something on it, such as a send to a socket
/// of a server that has stopped, would wait for ever. So loops are not shut down but kept for whoever needs some next.
/// On a loop that runs, a closed connection says that it is closed.
package final class EventLoopPool: Sendable {
    /// The pool of the process.
    package static let shared = EventLoopPool()

    private let idle = Mutex<[(threads: Int, group: MultiThreadedEventLoopGroup)]>([])

    /// How many groups of loops wait for use.
    package var count: Int { idle.withLock { $0.count } }

    package init() {}

    /// Loops for one user, who gives them back.
    package func take(threads: Int) -> MultiThreadedEventLoopGroup {
        let known = idle.withLock { idle in
            idle.firstIndex { $0.threads == threads }.map { idle.remove(at: $0).group }
        }
        return known ?? MultiThreadedEventLoopGroup(numberOfThreads: threads)
    }

    /// Keeps loops for the next user. A loop that is held by something that blocks keeps its group from being used
    /// again until it is free.
    package func giveBack(_ group: MultiThreadedEventLoopGroup) {
        let loops = Array(group.makeIterator())
        guard let first = loops.first else { return }
        EventLoopFuture.andAllSucceed(loops.map { $0.submit {} }, on: first).whenSuccess {
            self.idle.withLock { $0.append((loops.count, group)) }
        }
    }
}
