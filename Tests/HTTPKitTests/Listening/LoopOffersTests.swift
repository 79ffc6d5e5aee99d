import Testing

@testable import HTTPKit

@Suite("Which event loop gets a connection")
struct LoopOffersTests {
    typealias Candidate = (connections: Int, isLate: Bool)?

    static let choices: [([Candidate], Int?)] = [
        ([], nil), ([nil, nil], nil),
        ([(0, false)], 0), ([(0, true)], 0),
        // The fewest connections, the first of several.
        ([(2, false), (1, false), (1, false)], 1),
        // A loop that is late gets none, however few it has.
        ([(0, true), (9, false)], 1), ([(9, false), (0, true)], 0),
        // If all are late, one of them has to do.
        ([(3, true), (2, true)], 1),
        // A loop that was asked already is not asked again.
        ([nil, (9, true)], 1), ([(5, false), nil, (4, false)], 2),
    ]

    @Test("is the one with the fewest connections that is not late", arguments: choices)
    func choose(candidates: [Candidate], expected: Int?) {
        #expect(LoopOffers.choose(candidates) == expected)
    }

    @Test("a loop is late when it has not come to its oldest offer in time")
    func late() {
        func at(_ milliseconds: Int64) -> LoopInstant { LoopInstant(milliseconds: milliseconds) }
        var offers = LoopOffers()
        #expect(!offers.isLate(at: at(1_000), after: 20))
        offers.add(at: at(100))
        offers.add(at: at(110))
        #expect(offers.count == 2)
        #expect(!offers.isLate(at: at(119), after: 20))
        #expect(offers.isLate(at: at(120), after: 20))
        offers.answer(total: 1)
        #expect(offers.count == 1)
        #expect(!offers.isLate(at: at(129), after: 20))
        #expect(offers.isLate(at: at(130), after: 20))
        offers.answer(total: 2)
        offers.answer(total: 2)
        #expect(offers.count == 0)
        #expect(!offers.isLate(at: at(1_000), after: 20))
    }
}
