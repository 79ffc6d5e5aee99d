import HTTPKit
import HTTPTypes
import Synchronization
import Testing

@testable import WSKit

@Suite struct ReconnectPolicyTests {
    @Test(
        "pauses grow up to their upper bound; half of each is random",
        arguments: [(0, 250), (1, 500), (3, 2000), (6, 16_000), (7, 30_000), (500, 30_000), (.max, 30_000)])
    func delays(_ number: Int, _ bound: Int) {
        let policy = ReconnectPolicy()
        #expect(policy.delay(before: number, random: 1) == .milliseconds(bound))
        #expect(policy.delay(before: number, random: 0) == .milliseconds(bound) / 2)
        for _ in 0..<100 {
            let pause = policy.delay(before: number, random: .random(in: 0..<1))
            #expect(pause >= .milliseconds(bound) / 2 && pause < .milliseconds(bound))
        }
        #expect(
            policy.delay(before: number, random: 7) == .milliseconds(bound), "random number out of its range")
        #expect(policy.delay(before: number, random: -7) == .milliseconds(bound) / 2)
    }

    @Test("unusual policies: slow growth reaches the bound too, no growth stays constant, and bounds hold")
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
        "no policy makes a client spin or stops the program",
        arguments: [
            (Duration.zero, Duration.zero, 2.0), (.zero, .seconds(30), 2), (.seconds(-5), .seconds(-1), 2),
            (.milliseconds(250), .seconds(30), .infinity), (.milliseconds(250), .seconds(30), .nan),
            (.seconds(1), .seconds(Int64.max), 1e300), (.milliseconds(1), .seconds(1), -.infinity),
            (.seconds(Int64.max), .seconds(Int64.max), 2),
        ])
    func hostilePolicy(_ first: Duration, _ longest: Duration, _ factor: Double) {
        var policy = ReconnectPolicy()
        (policy.initialDelay, policy.maxDelay, policy.factor) = (first, longest, factor)
        for number in [0, 1, 2, 1000, .max] {
            let pause = policy.delay(before: number, random: 0)
            #expect(pause >= ReconnectPolicy.shortestDelay / 2, "\(number)")
            #expect(pause <= max(longest, ReconnectPolicy.shortestDelay))
        }
        var series = ReconnectSeries(policy)
        for _ in 0..<5 {
            series.opened()
            #expect(series.lost(after: .seconds(60), random: 0) >= ReconnectPolicy.shortestDelay / 2)
        }
    }

    @Test(
        "RFC 9110 §10.2.3: Retry-After lengthens a pause, up to its limit",
        arguments: [
            ("7", 7), ("0", 0.25), ("99999999999999999999999", 300), ("9223372036854775807", 300),
            ("301", 300),
            ("-1", 0.25), ("", 0.25), ("1.5", 0.25), ("soon", 0.25), ("Sun, 06 Nov 1994 08:49:47 GMT", 10),
            ("Sun, 06 Nov 1994 08:49:27 GMT", 0.25), ("Sun, 06 Nov 9999 08:49:27 GMT", 300),
        ] as [(String, Double)])
    func retryAfter(_ value: String, _ seconds: Double) {
        let error = ClientHandshakeError.status(
            503, location: nil, retryAfter: RetryAfter.parse(value, date: "Sun, 06 Nov 1994 08:49:37 GMT"))
        let policy = ReconnectPolicy()
        var series = ReconnectSeries(policy)
        let pause = series.failed(random: 1, requested: policy.requested(by: error))
        // The random part is added, so that clients do not all reconnect at the same time.
        #expect(pause == .seconds(seconds) + (seconds > 0.25 ? .milliseconds(250) : .zero))
    }

    @Test(
        "Whether a lost connection is transient",
        arguments: [
            (CloseReason(code: .normal, initiator: .peer, isClean: true), false),
            (CloseReason(code: .noStatus, initiator: .peer, isClean: true), true),
            (CloseReason(code: .goingAway, initiator: .peer, isClean: true), true),
            (CloseReason(code: .goingAway, initiator: .local, isClean: true), false),
            (CloseReason(code: .protocolError, initiator: .peer, isClean: true), false),
            (CloseReason(code: .unsupportedData, initiator: .peer, isClean: true), false),
            (CloseReason(code: .invalidPayload, initiator: .peer, isClean: true), false),
            (CloseReason(code: .missingExtension, initiator: .peer, isClean: true), false),
            (CloseReason(code: .policyViolation, initiator: .peer, isClean: true), true),
            (CloseReason(code: .tryAgainLater, initiator: .peer, isClean: true), true),
            (CloseReason(code: CloseCode(rawValue: 4000), initiator: .peer, isClean: true), true),
            (CloseReason.lost(.transportClosed), true), (CloseReason.lost(.pingTimeout), true),
            (CloseReason.lost(.closeTimeout), false),
            (CloseReason.failed(.reservedBit), true),
        ])
    func transient(_ reason: CloseReason, _ isTransient: Bool) {
        #expect(reason.isTransient == isTransient)
        #expect(ReconnectPolicy.isTransient(WebSocketClosed(reason: reason)) == isTransient)
    }

    @Test(
        "Pauses and giving up (f: attempt failed, o: open, l: lost after a long time, s: lost at once)",
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

/// What a server does with each attempt, in order. The last entry repeats.
private enum Step: Sendable {
    case status(Int)
    /// 503 with this `Retry-After`.
    case busy(String)
    /// A socket that the server closes with this code after the first message.
    case close(CloseCode)
    /// A socket that stays open.
    case stay
}

/// Serves attempts by a script and counts them.
private final class Script: Sendable {
    private let steps: [Step]
    private let count = Mutex(0)
    /// The close codes of the sockets.
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
        case .busy(let delay):
            return Response(status: .serviceUnavailable, fields: [.retryAfter: delay, .date: "x"])
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
    /// Sends one message and reads to the end, as a body that lasts as long as its connection.
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

    /// Whether each pause is between half of its upper bound and its upper bound.
    private func areWithin(_ bounds: [Int], _ pauses: [Duration]) -> Bool {
        bounds.count == pauses.count
            && zip(bounds, pauses).allSatisfy { (.milliseconds($0) / 2 ... .milliseconds($0)).contains($1) }
    }

    @Test("pauses grow while attempts fail, and start again when the connection was open")
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

    @Test("a server that accepts and closes at once is tried at growing intervals")
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

    @Test("pauses are random")
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

    @Test("it gives up after the maximum of consecutive failed attempts; a lost connection is not one")
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

    @Test("an unreachable server is tried again, and the error names its port")
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

    @Test(
        "a server that rejects the handshake is not tried again", arguments: [400, 401, 403, 404, 302, 200])
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

    @Test("permanent errors are thrown at once: an invalid address, TLS, a proxy that rejects")
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

    @Test("RFC 6455 §7.4.1: a close with 1000 by the server ends it, whether the body reads or sends")
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

    @Test("a body that is sending when the connection is lost runs again on the next one")
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
        "a body that closes the connection ends it, whatever the code",
        arguments: [CloseCode.normal, .goingAway])
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

    @Test("an error of the body ends it, and the server gets 1001")
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
            // The end of another connection is a failure of the body too.
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

    @Test("cancelled during a pause: it ends at once, without another attempt")
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
        "cancelled while connected: the body ends, the server gets 1001, and there is no other attempt",
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

    @Test("Each attempt asks for its destination; events come in order")
    func destinations() async throws {
        let script = Script(.status(503), .close(.goingAway), .stay)
        let clock = TestClock()
        var story: [String] = []
        var tickets: [String] = []
        let shown = Mutex<[String?]>([])
        try await LiveServer.run { request in
            shown.withLock { $0.append(request.fields[.authorization]) }
            return try script.respond(to: request)
        } test: { server in
            try await WebSocketClient.keepConnected(clock: clock) { attempt in
                tickets.append("\(attempt.number) \(attempt.previousError.map { "\(type(of: $0))" } ?? "-")")
                let path = "/\(tickets.count)"
                return try WebSocketDestination(
                    server.address(path), .init { $0.fields[.authorization] = "ticket \(tickets.count)" })
            } onEvent: { event in
                story.append(Self.tell(event))
            } body: { socket in
                if script.attempts < 3 { try await Self.untilEnd(socket) }
            }
        }
        #expect(tickets == ["1 -", "2 ClientHandshakeError", "1 WebSocketClosed"])
        #expect(shown.withLock { $0 } == ["ticket 1", "ticket 2", "ticket 3"])
        #expect(
            story == [
                "connecting 1", "failed, again", "connecting 2", "connected", "disconnected 1001, again",
                "connecting 1", "connected", "disconnected 1000", "ended",
            ])
    }

    private static func tell(_ event: KeepConnectedEvent) -> String {
        switch event {
        case .connecting(let attempt): "connecting \(attempt)"
        case .connected: "connected"
        case .failed(_, let pause): pause == nil ? "failed" : "failed, again"
        case .disconnected(let reason, let pause):
            "disconnected \(reason.code.rawValue)" + (pause == nil ? "" : ", again")
        case .ended(let error): error == nil ? "ended" : "ended with \(error.map { "\(type(of: $0))" } ?? "")"
        }
    }

    private struct NoTicket: Error {}

    @Test("An error of the destination closure ends it, or is retried if the policy says so")
    func noDestination() async throws {
        let clock = TestClock()
        var policy = ReconnectPolicy()
        policy.maxAttempts = 3
        var story: [String] = []
        for isTransient in [false, true] {
            policy.isTransient = { $0 is NoTicket && isTransient }
            await #expect(throws: NoTicket.self) {
                try await WebSocketClient.keepConnected(reconnect: policy, clock: clock) { _ in
                    throw NoTicket()
                } onEvent: {
                    story.append(Self.tell($0))
                } body: { _ in
                }
            }
        }
        #expect(
            story == [
                "connecting 1", "failed", "ended with NoTicket", "connecting 1", "failed, again",
                "connecting 2",
                "failed, again", "connecting 3", "failed", "ended with NoTicket",
            ])
        #expect(clock.sleeps.count == 2)
    }

    @Test("A server that cannot understand this end is not tried again; the error has the close code")
    func notUnderstood() async throws {
        let script = Script(.close(.protocolError))
        let clock = TestClock()
        var story: [String] = []
        try await serve(script) { server in
            let error = await #expect(throws: WebSocketClosed.self) {
                try await WebSocketClient.keepConnected(
                    to: server.address(), clock: clock, onEvent: { story.append(Self.tell($0)) },
                    Self.untilEnd)
            }
            #expect(error?.reason?.code == .protocolError)
        }
        #expect(story.suffix(2) == ["disconnected 1002", "ended with WebSocketClosed"])
        #expect(clock.sleeps.isEmpty)
    }

    @Test("A busy server's Retry-After is respected, up to the limit")
    func busy() async throws {
        let script = Script(.busy("20"), .busy("99999999999999999999"), .stay)
        let clock = TestClock()
        try await serve(script) { server in
            try await WebSocketClient.keepConnected(to: server.address(), clock: clock) { _ in }
        }
        #expect(clock.sleeps.count == 2)
        #expect((.seconds(20) ... .milliseconds(20_250)).contains(clock.sleeps[0]), "\(clock.sleeps)")
        #expect((.seconds(300) ... .milliseconds(300_500)).contains(clock.sleeps[1]), "\(clock.sleeps)")
    }
}
