import DequeModule

/// The connections that were offered to one event loop, as the acceptor knows it: whether the loop comes to them.
struct LoopOffers {
    /// When each offer was made that the loop has not come to, the oldest first.
    private var times = Deque<LoopInstant>()
    /// How many offers the loop is known to have come to.
    private var answered = 0

    /// How many offers wait for the loop.
    var count: Int { times.count }

    mutating func add(at now: LoopInstant) { times.append(now) }

    /// The loop has come to `total` offers since the beginning. It comes to them in order.
    mutating func answer(total: Int) {
        while answered < total {
            answered += 1
            _ = times.popFirst()
        }
    }

    /// Whether the loop has not come to an offer for `milliseconds`: something blocks it.
    func isLate(at now: LoopInstant, after milliseconds: Int64) -> Bool {
        times.first.map { now.milliseconds - $0.milliseconds >= milliseconds } ?? false
    }

    /// The loop that a connection is offered to: the one with the fewest connections among those that are not late. If
    /// all are late, the one with the fewest connections.
    ///
    /// - Parameter candidates: For each loop how many connections it has, and whether it is late; `nil` for a loop that the
    ///   connection was offered to already.
    static func choose(_ candidates: [(connections: Int, isLate: Bool)?]) -> Int? {
        var best: (index: Int, connections: Int, isLate: Bool)?
        for (index, candidate) in candidates.enumerated() {
            guard let candidate else { continue }
            if let best {
                guard best.isLate || !candidate.isLate else { continue }
                if best.isLate == candidate.isLate, candidate.connections >= best.connections { continue }
            }
            best = (index, candidate.connections, candidate.isLate)
        }
        return best?.index
    }
}
