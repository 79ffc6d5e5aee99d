import NIOCore
import Testing

@testable import HTTPKit

@Suite("The least rate at which clients take answers")
struct ResponseRateTests {
    private static let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    @Test("A client that takes an answer too slowly is disconnected, though it takes something all the time")
    func slowClient() throws {
        var limits = HTTPLimits()
        limits.minResponseRate = 50_000
        try withWire(limits: limits) { _ in
            .text(String(repeating: "x", count: 300_000))
        } test: { wire in
            wire.stopTaking()
            wire.send(Self.get)
            wire.pass(.milliseconds(500))
            wire.pass(.seconds(10))
            #expect(!wire.isClosed, "6 s for the octets, 5 s beyond")
            wire.pass(.seconds(2))
            #expect(wire.isClosed)
        }
    }

    @Test("A handler that has nothing to send is no slow client, nor is who took all of what there was")
    func slowProducer() throws {
        let gate = Gate()
        try withWire { _ in
            .stream { writer in
                for _ in 0..<3 {
                    try await writer.write("data: x\n\n")
                    await gate.pass()
                }
            }
        } test: { wire in
            wire.send(Self.get)
            for _ in 0..<3 {
                for _ in 0..<100 { wire.pass(.seconds(10)) }
                #expect(!wire.isClosed && wire.received().has("data: x"))
                gate.open()
                wire.settle()
            }
            #expect(!wire.isEnded)
        }
    }

    /// Time enough without progress: only the rate counts.
    private static func writeLimits(_ limits: HTTPLimits) -> WriteProgress.Limits {
        WriteProgress.Limits(
            timeout: .seconds(1 << 20), rate: limits.minResponseRate, grace: limits.responseRateGracePeriod)
    }

    /// A client that takes `rate` octets a second of what is kept full to 256 KiB, in bursts; after how many seconds,
    /// of a day, it is given up.
    private func endOfTaking(
        _ rate: Int, everySeconds burst: Int = 1, first: Int = 0, limits: HTTPLimits = HTTPLimits()
    ) -> Int? {
        let full = 256 << 10
        var handedOver = full
        let start = LoopInstant(milliseconds: 0)
        let progress = WriteProgress(handedOver: full, unsent: full, now: start)
        let limits = Self.writeLimits(limits)
        for second in 0..<86_400 {
            // What is taken is written again.
            if second < first {
                handedOver += 10_000_000
            } else if second % burst == 0 {
                handedOver += rate * burst
            }
            let now = LoopInstant(milliseconds: Int64(second) * 1000)
            let fault = progress.look(
                handedOver: handedOver, unsent: full, isFull: true, now: now, limits: limits)
            if fault == .slow { return second }
        }
        return nil
    }

    @Test("The least rate of answers is kept over what waits: 240 octets a second, in bursts or not")
    func responseRate() {
        // 256 KiB take 1,092 s at that rate, and 5 s are given.
        #expect(endOfTaking(0) == 1_098)
        #expect(endOfTaking(1).map { $0 < 1_110 } == true)
        #expect(endOfTaking(100).map { $0 < 1_900 } == true)
        #expect(endOfTaking(200).map { $0 < 7_000 } == true)
        #expect(endOfTaking(241) == nil)
        #expect(
            endOfTaking(400, everySeconds: 300) == nil, "the kernel passes on what it has in large bursts")
        #expect(endOfTaking(1, first: 3_600).map { $0 < 3_600 + 1_110 } == true, "a fast hour pays for none")
        var limits = HTTPLimits()
        limits.minResponseRate = 0
        #expect(endOfTaking(0, limits: limits) == nil)
        limits.minResponseRate = 1_000
        limits.responseRateGracePeriod = .seconds(60)
        #expect(endOfTaking(0, limits: limits) == 323)
    }

    @Test("Only time in which octets wait counts for the least rate of answers")
    func responseRateBetweenAnswers() {
        var pace = TakingPace()
        let limits = HTTPLimits()
        var now = LoopInstant(milliseconds: 0)
        for _ in 0..<1000 {
            var added = 2_400
            for waiting in [2_400, 100, 0] {
                let isSlow = pace.isSlow(
                    added: added, unsent: waiting, now: now, rate: limits.minResponseRate,
                    grace: limits.responseRateGracePeriod)
                #expect(!isSlow)
                added = 0
                now = now.advanced(by: .seconds(waiting == 0 ? 3_600 : 4))
            }
        }
    }
}
