import HTTPKit
import HTTPTypes
import Synchronization
import Testing

@testable import WSKit

@Suite struct ReconnectPolicyTests {
    @Test(
        "pauses grow to their bound; half of each is left to chance",
        arguments: [(0, 250), (1, 500), (3, 2000), (6, 16_000), (7, 30_000), (500, 30_000), (.max, 30_000)])
    func delays(_ number: Int, _ bound: Int) {
        let policy = ReconnectPolicy()
        #expect(policy.delay(before: number, random: 1) == .milliseconds(bound))
        #expect(policy.delay(before: number, random: 0) == .milliseconds(bound) / 2)
        for _ in 0..<100 {
            let pause = policy.delay(before: number, random: .random(in: 0..<1))
            #expect(pause >= .milliseconds(bound) / 2 && pause < .milliseconds(bound))
        }
        #expect(policy.delay(before: number, random: 7) == .milliseconds(bound), "chance out of its range")
        #expect(policy.delay(before: number, random: -7) == .milliseconds(bound) / 2)
    }

    @Test("odd policies: slow growth reaches the bound too, none stays where it is, and a bound is a bound")
    func odd() {
        var policy = ReconnectPolicy()
        policy.factor = 1.01
        #expect(policy.delay(before: 100, random: 1) > .milliseconds(600))
        #expect(policy.delay(before: 1000, random: 1) == .seconds(30))
        policy.factor = 1
        #expect(policy.delay(before: .max, random: 1) == .milliseconds(250))
        policy.factor = 0
        #expect(policy.delay(before: 3, random: 1) == .milliseconds(250))
        policy = ReconnectPolicy()
        policy.maxDelay = .milliseconds(100)
        #expect(policy.delay(before: 0, random: 1) == .milliseconds(100))
    }

    @Test(
        "f: an attempt failed, o: open, l: lost after long, s: at once; what the pauses are, and where it gives up",
        arguments: [
            (nil, "ffff", [250, 500, 1000, 2000]), (nil, "fffol", [250, 500, 1000, 250]),
            (nil, "olf", [250, 500]), (nil, "olololol", [250, 250, 250, 250]),
            (nil, "osososol", [250, 500, 1000, 250]), (2, "fosfosf", [250, 500, 1000, 2000, 4000]),
            (nil, "ffolffol", [250, 500, 250, 500, 1000, 250]),
            (3, "fff", [250, 500, nil]), (3, "ffolfff", [250, 500, 250, 500, 1000, nil]), (1, "f", [nil]),
            (1, "olf", [250, nil]), (0, "f", [nil]),
        ] as [(Int?, String, [Int?])])
    func series(_ most: Int?, _ story: String, _ pauses: [Int?]) {
        var policy = ReconnectPolicy()
        policy.maxAttempts = most
        var series = ReconnectSeries(policy)
        var told: [Duration?] = []
        for step in story {
            switch step {
            case "f": told.append(series.failed(random: 1))
            case "l": told.append(series.lost(after: .seconds(60), random: 1))
            case "s": told.append(series.lost(after: .milliseconds(250), random: 1))
            default: series.opened()
            }
        }
        #expect(told == pauses.map { $0.map { .milliseconds($0) } })
    }
}

/// What a server does with each attempt, in order; the last goes on.
private enum Step: Sendable {
    case status(Int)
    /// A socket that the server closes with this code after the first message.
    case close(CloseCode)
    /// A socket that stays.
    case stay
}

/// Serves attempts by a script and counts them.
private final class Script: Sendable {
    private let steps: [Step]
    private let count = Mutex(0)
    /// The codes that sockets ended with.
    let ends = AsyncStream.makeStream(of: CloseReason.self)

    init(_ steps: Step...) { self.steps = steps }

    var attempts: Int { count.withLock { $0 } }

    func respond(to request: Request) throws -> Response {
        let number = count.withLock { count in
            count += 1
            return count
        }
        switch steps[min(number, steps.count) - 1] {
        case .status(let code): return Response(status: .init(code: code))
        case .close(let code):
            return try request.accept { socket in
                _ = try await socket.messages.first { _ in true }
                try await socket.close(code)
            }
        case .stay:
            return try request.accept { [ends] socket in
                for try await message in socket.messages { try await socket.send(message) }
                if let reason = await socket.closeReason { ends.continuation.yield(reason) }
            }
        }
    }
}

@Suite("A client that is kept connected", .timeLimit(.minutes(2)))
struct KeepConnectedTests {
    /// Sends one message and reads to the end, as a body does that lives as long as its connection.
    private static let untilEnd: @Sendable (WebSocket) async throws -> Void = { socket in
        try await socket.send("x")
        for try await _ in socket.messages {}
    }

    /// The same on a connection that lasts a minute.
    private static func aMinute(by clock: TestClock) -> @Sendable (WebSocket) async throws -> Void {
        { socket in
            clock.pass(.seconds(60))
            try await untilEnd(socket)
        }
    }

    private func serve(_ script: Script, test: (LiveServer) async throws -> Void) async throws {
        try await LiveServer.run({ try script.respond(to: $0) }, test: test)
    }

    /// Whether each pause is between half of its bound and its bound.
    private func areWithin(_ bounds: [Int], _ pauses: [Duration]) -> Bool {
        bounds.count == pauses.count
            && zip(bounds, pauses).allSatisfy { (.milliseconds($0) / 2 ... .milliseconds($0)).contains($1) }
    }

    @Test("pauses grow while attempts fail, and begin anew when the connection was open")
    func grows() async throws {
        let script = Script(
            .status(503), .status(429), .status(408), .close(.goingAway), .status(500),
            .close(.serviceRestart),
            .stay)
        let clock = TestClock()
        try await serve(script) { server in
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { socket in
                if script.attempts < 7 { try await Self.aMinute(by: clock)(socket) }
            }
        }
        #expect(script.attempts == 7)
        #expect(areWithin([250, 500, 1000, 250, 500, 250], clock.sleeps), "\(clock.sleeps)")
    }

    @Test("a server that accepts and hangs up at once is asked at growing intervals")
    func hangsUp() async throws {
        let script = Script(
            .close(.goingAway), .close(.goingAway), .close(.goingAway), .close(.goingAway), .stay)
        let clock = TestClock()
        try await serve(script) { server in
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { socket in
                if script.attempts < 5 { try await Self.untilEnd(socket) }
            }
        }
        #expect(areWithin([250, 500, 1000, 2000], clock.sleeps), "\(clock.sleeps)")
    }

    @Test("pauses are drawn by chance")
    func jitter() async throws {
        let script = Script(.status(503))
        let clock = TestClock()
        var policy = ReconnectPolicy()
        (policy.factor, policy.maxAttempts) = (1, 21)
        try await serve(script) { server in
            await #expect(throws: ClientHandshakeError.status(503, location: nil)) {
                try await WebSocketClient.keepConnected(
                    to: server.address(), reconnect: policy, clock: clock, Self.untilEnd)
            }
        }
        #expect(areWithin(Array(repeating: 250, count: 20), clock.sleeps), "\(clock.sleeps)")
        #expect(Set(clock.sleeps).count > 1)
    }

    @Test("it gives up after so many attempts in a row that failed; a lost connection is none of them")
    func givesUp() async throws {
        let script = Script(.status(503), .close(.goingAway), .status(500), .status(502))
        let clock = TestClock()
        var policy = ReconnectPolicy()
        policy.maxAttempts = 2
        try await serve(script) { server in
            await #expect(throws: ClientHandshakeError.status(502, location: nil)) {
                try await WebSocketClient.keepConnected(
                    to: server.address(), reconnect: policy, clock: clock, Self.aMinute(by: clock))
            }
        }
        #expect(script.attempts == 4)
        #expect(areWithin([250, 250, 500], clock.sleeps), "\(clock.sleeps)")
    }

    @Test("a server that nobody has started is tried again; its port is named at the end")
    func refusedConnection() async throws {
        let nobody = try BareSocket()
        let address = "ws://127.0.0.1:\(nobody.port)/"
        let clock = TestClock()
        var policy = ReconnectPolicy()
        policy.maxAttempts = 3
        let error = await #expect(throws: WebSocketConnectError.self) {
            try await WebSocketClient.keepConnected(
                to: address, reconnect: policy, clock: clock, Self.untilEnd)
        }
        #expect("\(try #require(error))".contains(address))
        #expect(areWithin([250, 500], clock.sleeps), "\(clock.sleeps)")
        withExtendedLifetime(nobody) {}
    }

    @Test("a server that refuses is not asked again", arguments: [400, 401, 403, 404, 302, 200])
    func refused(_ status: Int) async throws {
        let script = Script(.status(status))
        let clock = TestClock()
        try await serve(script) { server in
            await #expect(throws: ClientHandshakeError.status(status, location: nil)) {
                try await WebSocketClient.keepConnected(to: server.address(), clock: clock, Self.untilEnd)
            }
        }
        #expect(script.attempts == 1 && clock.sleeps.isEmpty)
    }

    @Test("what time cannot mend is thrown at once: an address that is none, TLS, a proxy that refuses")
    func final() async throws {
        let clock = TestClock()
        await #expect(throws: WebSocketAddressError.self) {
            try await WebSocketClient.keepConnected(to: "http://h", clock: clock, Self.untilEnd)
        }
        await #expect(throws: WebSocketConnectError.self) {
            try await WebSocketClient.keepConnected(to: "wss://127.0.0.1", clock: clock, Self.untilEnd)
        }
        try await LiveServer.run({ _ in Response(status: .proxyAuthenticationRequired) }) { server in
            await #expect(throws: WebSocketConnectError.self) {
                try await WebSocketClient.keepConnected(
                    to: "ws://h",
                    WebSocketClientOptions { $0.proxy = .init(host: "127.0.0.1", port: server.port) },
                    clock: clock, Self.untilEnd)
            }
        }
        #expect(clock.sleeps.isEmpty)
    }

    @Test("RFC 6455 §7.4.1: a server that closes with 1000 has ended it, whether the body reads or sends")
    func normalEnd() async throws {
        let script = Script(.close(.normal))
        let clock = TestClock()
        try await serve(script) { server in
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock, Self.untilEnd)
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { socket in
                while true { try await socket.send("x") }
            }
        }
        #expect(script.attempts == 2 && clock.sleeps.isEmpty)
    }

    @Test("a body that sends when the connection is lost is run again on the next")
    func lostWhileSending() async throws {
        let script = Script(.close(.internalError), .stay)
        let clock = TestClock()
        try await serve(script) { server in
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { socket in
                while script.attempts == 1 { try await socket.send("x") }
            }
        }
        #expect(script.attempts == 2 && areWithin([250], clock.sleeps), "\(clock.sleeps)")
    }

    @Test(
        "a body that closes by itself, whatever the code, is done", arguments: [CloseCode.normal, .goingAway])
    func ownClose(_ code: CloseCode) async throws {
        let script = Script(.stay)
        let clock = TestClock()
        try await serve(script) { server in
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { socket in
                try await socket.close(code)
            }
        }
        #expect(script.attempts == 1 && clock.sleeps.isEmpty)
    }

    @Test("what a body throws by itself ends it, and the server is told 1001")
    func ownError() async throws {
        struct Failure: Error {}
        let script = Script(.stay)
        let clock = TestClock()
        try await serve(script) { server in
            await #expect(throws: Failure.self) {
                try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { _ in
                    throw Failure()
                }
            }
            // The end of another connection than its own is a failure of the body too.
            let other = try await WebSocketClient.connect(to: server.address())
            await other.close()
            await #expect(throws: WebSocketClosed.self) {
                try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { _ in
                    try await other.send("x")
                }
            }
            var ends = script.ends.stream.map(\.code).makeAsyncIterator()
            var codes: Set<CloseCode?> = []
            for _ in 0..<3 { codes.insert(await ends.next()) }
            #expect(codes == [.goingAway, .normal])
        }
        #expect(script.attempts == 3 && clock.sleeps.isEmpty)
    }

    @Test("cancelled during a pause: it ends at once, and no attempt follows")
    func cancelledDuringPause() async throws {
        let script = Script(.status(503))
        let clock = TestClock(heldAfter: 1)
        try await serve(script) { server in
            let task = Task {
                try await WebSocketClient.keepConnected(to: server.address(), clock: clock, Self.untilEnd)
            }
            for await _ in clock.held.stream { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        #expect(script.attempts == 2 && clock.sleeps.count == 2)
    }

    @Test(
        "cancelled while connected: the body ends, the server is told 1001, and no attempt follows",
        arguments: [false, true])
    func cancelledWhileConnected(_ isSwallowed: Bool) async throws {
        let script = Script(.stay)
        let clock = TestClock()
        let began = AsyncStream.makeStream(of: Void.self)
        try await serve(script) { server in
            let task = Task {
                try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { socket in
                    try await socket.send("x")
                    do {
                        for try await _ in socket.messages { began.continuation.yield() }
                    } catch {
                        if !isSwallowed { throw error }
                    }
                }
            }
            for await _ in began.stream { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            for await reason in script.ends.stream {
                #expect(reason.code == .goingAway)
                break
            }
        }
        #expect(script.attempts == 1 && clock.sleeps.isEmpty)
    }
}
