import NIOCore
import Testing

@testable import HTTPKit
@testable import WSKit

/// Blocks the loop when told to, by moving its clock.
private struct Holder: WebSocketHandler {
    let loop: @Sendable () -> LoopContext?

    func onOpen(_ socket: WebSocket) { loop()?.clockOffset += 150 }
    func onMessage(_ message: Message, _ socket: WebSocket) {
        if message.text == "hold" { loop()?.clockOffset += 150 }
    }
    func onClose(_ reason: CloseReason, _ socket: WebSocket) { loop()?.clockOffset += 150 }
    func onError(_ error: any Error, _ socket: WebSocket) { loop()?.clockOffset += 150 }
}

@Suite("The watchdog names the socket that blocked the loop")
struct SocketWatchdogTests {
    private func watch(_ harness: ConnectionHarness) -> Journal {
        let journal = Journal()
        harness.loop.onBlockedLoop = { _, route in journal.note(route) }
        return journal
    }

    @Test("a closure, also when another socket has resumed it")
    func closure() throws {
        let harness = try ConnectionHarness()
        let journal = watch(harness)
        let loop = harness.loop
        harness.serve { socket in
            for try await message in socket.messages where message.text == "hold" { loop.clockOffset += 150 }
        }
        try harness.receive(frame(0x81, Array("fast".utf8)))
        #expect(journal.all.isEmpty)
        try harness.receive(frame(0x81, Array("hold".utf8)) + frame(0x81, Array("fast".utf8)))
        #expect(journal.all == ["WebSocket /test"])
    }

    @Test("callbacks")
    func callbacks() throws {
        let place = LoopPlace()
        let harness = try ConnectionHarness(consumer: .callbacks(Holder { place.loop }))
        place.loop = harness.loop
        let journal = watch(harness)
        _ = harness.open()
        try harness.receive(frame(0x81, Array("fast".utf8)))
        #expect(journal.all.isEmpty)
        try harness.receive(frame(0x81, Array("hold".utf8)) + frame(0x81, Array("fast".utf8)))
        #expect(journal.all == ["WebSocket /test"])
        harness.endInput()
        #expect(journal.all == ["WebSocket /test", "WebSocket /test"])
    }
}

/// Gives callbacks access to the loop. It is used on one thread only.
private final class LoopPlace: @unchecked Sendable {
    var loop: LoopContext?
}
