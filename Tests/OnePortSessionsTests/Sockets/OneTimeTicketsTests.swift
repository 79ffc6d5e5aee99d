import OnePort
import OnePortSessions
import OnePortTesting
import Synchronization
import Testing

@Suite("One-time tickets", .timeLimit(.minutes(1)))
struct OneTimeTicketsTests {
    @Test("A ticket is valid once, and for its lifetime")
    func redeem() throws {
        let start = ContinuousClock.now
        let time = Mutex(start)
        let tickets = OneTimeTickets<String>(lifetime: .seconds(30), now: { time.withLock { $0 } })
        let (first, second, third) = (try tickets.issue("a"), try tickets.issue("b"), try tickets.issue("c"))
        let value = try tickets.redeem(first)
        #expect(value == "a" && first.utf8.count == 43 && first != second)
        for invalid in [first, nil, "", second + "x"] {
            #expect(throws: Unauthenticated.self) { try tickets.redeem(invalid) }
        }
        time.withLock { $0 = start.advanced(by: .milliseconds(29_999)) }
        #expect(throws: Never.self) { try tickets.redeem(second) }
        time.withLock { $0 = start.advanced(by: .seconds(30)) }
        #expect(throws: Unauthenticated.self) { try tickets.redeem(third) }
    }

    @Test("Only so many are kept, until they expire")
    func capacity() throws {
        let start = ContinuousClock.now
        let time = Mutex(start)
        let tickets = OneTimeTickets<Int>(capacity: 2, now: { time.withLock { $0 } })
        for index in 0..<2 { _ = try tickets.issue(index) }
        #expect(throws: HTTPFailure.self) { try tickets.issue(2) }
        time.withLock { $0 = start.advanced(by: .seconds(30)) }
        #expect(throws: Never.self) { try tickets.issue(2) }
    }

    @Test("A socket opens with a ticket, once")
    func socket() async throws {
        let tickets = OneTimeTickets<String>()
        let app = App(configuration: AppConfiguration())
        app.post("/ticket") { _ in .text(try tickets.issue("ann")) }
        app.webSocket("/news", admit: { try tickets.redeem($0.query["ticket"]) }) { socket in
            try await socket.send(socket.state)
        }
        try await app.test { client in
            let ticket = try await client.post("/ticket", body: ByteBuffer()).text
            let socket = try await client.webSocket("/news?ticket=\(ticket)")
            let name = try await socket.texts.first { _ in true }
            #expect(name == "ann")
            for query in ["?ticket=\(ticket)", ""] {
                await #expect(throws: ClientHandshakeError.self) {
                    try await client.webSocket("/news\(query)")
                }
            }
        }
    }
}
