import NIOCore

/// The files that were compared with the disk in this turn of an event loop.
///
/// In one turn a loop serves what has arrived on many connections. All of it had begun to arrive before the turn, so one
/// comparison is enough for all requests for the same file: a change that was finished before one of these requests was
/// sent is seen. The exception is a pipelined request that arrives during the turn, behind another one on its connection;
/// it may get what was current when the turn began.
///
/// Invariant: touched on its event loop only, which debug builds assert.
final class TurnChecks: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private var current: [StoredFile] = []

    /// How many files are remembered; others are compared for each request.
    private static let maxCount = 16

    private static let local = LoopLocal { TurnChecks(eventLoop: $0.eventLoop) }

    private init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// Those of a loop; `nil` on any other thread.
    static func of(_ loop: LoopContext) -> TurnChecks? {
        guard loop.eventLoop.inEventLoop else { return nil }
        return local[loop]
    }

    /// Whether the file at this place is still the one that was read.
    func isCurrent(_ file: StoredFile) -> Bool {
        eventLoop.assertInEventLoop()
        if current.contains(where: { $0 === file }) { return true }
        guard file.isCurrent else { return false }
        // Tasks run when everything has been read that had arrived.
        if current.isEmpty { eventLoop.execute { self.current.removeAll(keepingCapacity: true) } }
        if current.count < Self.maxCount { current.append(file) }
        return true
    }
}
