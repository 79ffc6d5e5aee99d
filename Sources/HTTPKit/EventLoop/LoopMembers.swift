import NIOCore

/// Something that lives on one event loop and is told of time and of the end.
package protocol LoopMember: AnyObject {
    /// Where the member stands in its loop's table; the table's alone.
    var memberIndex: Int { get set }
    /// Called about twice a second with the loop's clock.
    func tick(now: LoopInstant)
    /// The server is shutting down: finish what is in flight and end by `deadline`.
    func drain(deadline: LoopInstant)
}

/// The members of one event loop, and the timer that ticks while there are any.
struct LoopMembers {
    private var members: [any LoopMember] = []
    private var ticker: RepeatedTask?

    private static let tickInterval = TimeAmount.milliseconds(500)

    var count: Int { members.count }
    var isEmpty: Bool { members.isEmpty }

    /// Adds a member; with the first one `tick` begins to be called.
    mutating func add(
        _ member: any LoopMember, on eventLoop: any EventLoop, tick: @escaping @Sendable () -> Void
    ) {
        member.memberIndex = members.count
        members.append(member)
        guard ticker == nil else { return }
        let interval = Self.tickInterval
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            tick()
        }
    }

    /// Removes a member, if it is one; behind the last one the timer ends.
    mutating func remove(_ member: any LoopMember) {
        let index = member.memberIndex
        guard members.indices.contains(index), members[index] === member else { return }
        let last = members.removeLast()
        if last !== member {
            members[index] = last
            last.memberIndex = index
        }
        member.memberIndex = -1
        guard members.isEmpty else { return }
        ticker?.cancel()
        ticker = nil
    }

    /// The members as they are now: while they are told something, some may leave.
    var all: [any LoopMember] { members }
}
