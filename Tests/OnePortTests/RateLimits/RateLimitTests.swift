import OnePortTesting
import Synchronization
import Testing

@testable import OnePort

@Suite("Rate limits", .timeLimit(.minutes(1)))
struct RateLimitTests {
    @Test("A bucket gives its burst at once, then one per interval")
    func bucket() {
        let start = ContinuousClock.now
        let limit = RateLimit(10, per: .seconds(10), burst: 3)
        var bucket = TokenBucket(now: start)
        var allowed: [Bool] = []
        // Milliseconds after the start, in order.
        for time in [0, 0, 0, 0, 999, 1000, 1000, 1999, 2000, 5000, 5000, 5000, 5000] {
            let now = start.advanced(by: .milliseconds(time))
            let decision = bucket.take(limit, now: now)
            allowed.append(decision.isAllowed)
        }
        #expect(
            allowed == [
                true, true, true, false, false, true, false, false, true, true, true, true, false,
            ])
    }

    @Test("A decision tells what is left, and when to try again")
    func decision() {
        let start = ContinuousClock.now
        let limit = RateLimit(2, per: .seconds(10))
        var bucket = TokenBucket(now: start)
        let (first, second) = (bucket.take(limit, now: start), bucket.take(limit, now: start))
        let third = bucket.take(limit, now: start.advanced(by: .seconds(1)))
        #expect(first == .init(isAllowed: true, remaining: 1, fullIn: .seconds(5), retryIn: .zero))
        #expect(second == .init(isAllowed: true, remaining: 0, fullIn: .seconds(10), retryIn: .seconds(5)))
        #expect(third == .init(isAllowed: false, remaining: 0, fullIn: .seconds(9), retryIn: .seconds(4)))
    }

    @Test("Keys are bounded; those at their limit are forgotten last")
    func bounded() {
        let start = ContinuousClock.now
        let limiter = RateLimiter<Int>(RateLimit(2, per: .seconds(100)), maxKeys: 32)
        for _ in 0..<2 { _ = limiter.take(-1, now: start) }
        for key in 0..<1000 { _ = limiter.take(key, now: start) }
        let blocked = limiter.take(-1, now: start)
        #expect(limiter.count <= 32 && !blocked.isAllowed)
        let later = start.advanced(by: .seconds(101))
        for key in 2000..<2032 { _ = limiter.take(key, now: later) }
        #expect(limiter.count <= 32)
    }

    @Test("Limits out of range are brought into it")
    func ranges() {
        let smallest = RateLimit(0, per: .zero, burst: -1)
        let largest = RateLimit(.max, per: .seconds(Int64.max), burst: .max)
        #expect(smallest.count == 1 && smallest.burst == 1 && smallest.period == .microseconds(1))
        var bucket = TokenBucket(now: .now)
        let decision = bucket.take(largest, now: .now)
        #expect(decision.isAllowed && largest.burst == 1_000_000)
    }

    @Test("RFC 6585 §4: 429 with Retry-After and the RateLimit fields, also on errors")
    func middleware() async throws {
        let start = ContinuousClock.now
        let time = Mutex(start)
        let app = App(configuration: AppConfiguration())
        app.use(
            .rateLimit(
                RateLimit(2, per: .seconds(10)), by: .address.and(.route), name: "x\"y",
                now: { time.withLock { $0 } }))
        app.get("/a") { _ in .text("a") }
        app.get("/b") { _ in throw HTTPFailure(.conflict) }
        let policy = try #require(HTTPField.Name("RateLimit-Policy"))
        let state = try #require(HTTPField.Name("RateLimit"))
        try await app.test(.live) { client in
            var got: [String] = []
            for path in ["/a", "/a", "/a", "/b"] {
                let response = try await client.get(path)
                got.append(
                    "\(response.status.code) \(response.fields[state] ?? "") \(response.fields[.retryAfter] ?? "")"
                )
                #expect(response.fields[policy] == "\"xy\";q=2;w=10")
            }
            #expect(
                got == [
                    "200 \"xy\";r=1;t=5 ", "200 \"xy\";r=0;t=5 ", "429 \"xy\";r=0;t=5 5",
                    "409 \"xy\";r=1;t=5 ",
                ])
            time.withLock { $0 = start.advanced(by: .seconds(5)) }
            let later = try await client.get("/a").status
            #expect(later == .ok)
        }
    }

    @Test("A key of the application's; nil is not limited")
    func custom() async throws {
        let app = App(configuration: AppConfiguration())
        app.use(.rateLimit(RateLimit(1, per: .seconds(3600)), by: .custom { $0.fields[.authorization] }))
        app.get("/") { _ in .text("") }
        try await app.test { client in
            var codes: [Int] = []
            for key in ["a", "a", "b", nil, nil] {
                codes.append(
                    try await client.get(
                        "/",
                        fields: key.map { HTTPFields([HTTPField(name: .authorization, value: $0)]) } ?? [:]
                    ).status.code)
            }
            #expect(codes == [200, 429, 200, 200, 200])
        }
    }

    @Test("A socket that sends too much is closed with 1008")
    func messages() async throws {
        let start = ContinuousClock.now
        let app = App(configuration: AppConfiguration())
        app.webSocket("/echo") { socket in
            for try await message in socket.messages(upTo: RateLimit(2, per: .seconds(1)), now: { start }) {
                try await socket.send(message)
            }
        }
        try await app.test { client in
            let socket = try await client.webSocket("/echo")
            for text in ["1", "2", "3"] { try await socket.send(text) }
            var texts: [String] = []
            for try await text in socket.texts { texts.append(text) }
            #expect(texts == ["1", "2"])
            #expect(await socket.closeReason?.code == .policyViolation)
        }
    }
}
