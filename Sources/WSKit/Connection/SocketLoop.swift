package import HTTPKit
package import Synchronization

/// What the sockets of one event loop share: codecs, turns, unfinished messages, and counters.
///
/// Invariant: touched on the loop only, but for `queuedBytes`.
package final class SocketLoop: LoopCounters {
    /// About how many bytes of other threads' messages are on their way to this loop; touched by any thread.
    package let queuedBytes = Atomic(0)
    let codecs = SharedDeflate()
    let turns: CodecTurns
    let unfinished = UnfinishedMessages()
    @exclusivity(unchecked) package var statistics = SocketStatistics()

    /// What the sockets have counted.
    package struct SocketStatistics: Sendable {
        package var sockets = 0
        package var messagesIn = 0
        package var messagesOut = 0
        package var messagesDropped = 0
    }

    private static let local = LoopLocal { SocketLoop($0) }

    /// What the sockets of `loop` share.
    package static func of(_ loop: LoopContext) -> SocketLoop { local[loop] }

    private init(_ loop: LoopContext) {
        turns = CodecTurns(loop: loop, work: codecs.work)
    }

    package func add(to statistics: inout ServerStatistics) {
        statistics.sockets += self.statistics.sockets
        statistics.messagesIn &+= self.statistics.messagesIn
        statistics.messagesOut &+= self.statistics.messagesOut
        statistics.messagesDropped &+= self.statistics.messagesDropped
    }
}
