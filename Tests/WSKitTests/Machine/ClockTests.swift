import NIOCore
import Testing

@testable import WSKit

@Suite struct ClockTests {
    private func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    @Test("RFC 6455 §5.5.2 a silent peer is pinged, and given up when it stays silent")
    func dead() {
        var server = machine()
        #expect(server.nextTick == at(30))
        #expect(server.tick(at: at(29)) == .nothing)
        #expect(server.tick(at: at(30)) == .sendPing(ByteBuffer(integer: UInt64(1))))
        #expect(server.nextTick == at(50))
        #expect(server.tick(at: at(49)) == .nothing)
        #expect(server.tick(at: at(50)) == .peerIsDead)
    }

    @Test("any byte shows that the peer is alive")
    func alive() throws {
        var server = machine()
        _ = server.tick(at: at(30))
        var input = ByteBuffer(bytes: [0x82])
        _ = try server.next(&input, now: at(45))
        #expect(server.tick(at: at(50)) == .nothing)
        #expect(server.nextTick == at(75))
        #expect(server.tick(at: at(75)) == .sendPing(ByteBuffer(integer: UInt64(2))))
    }

    @Test("without an interval there are no pings")
    func never() {
        var server = machine { $0.pingInterval = nil }
        #expect(server.nextTick == nil)
        #expect(server.tick(at: at(1_000_000)) == .nothing)
    }

    @Test("§7.1.1 a close frame is not awaited forever, and no ping follows it")
    func closeTimeout() {
        var server = machine()
        var out = ByteBuffer()
        server.encodeClose(into: &out, now: at(28))
        #expect(server.nextTick == at(33))
        #expect(server.tick(at: at(32)) == .nothing)
        #expect(server.tick(at: at(33)) == .closeTimedOut)
    }

    @Test("floods of control frames are bounded per second")
    func controlFlood() throws {
        var server = machine { $0.maxControlFramesPerSecond = 10 }
        for second in 0..<3 {
            var input = ByteBuffer(bytes: (0..<10).flatMap { _ in frame(0x89) })
            for _ in 0..<10 { #expect(try server.next(&input, now: at(Int64(second))) == .ping("")) }
        }
        var input = ByteBuffer(bytes: frame(0x8A))
        #expect(throws: WSError.tooManyControlFrames(limit: 10)) { _ = try server.next(&input, now: at(2)) }
    }

    @Test("messages per second are bounded if the limit is set")
    func messageRate() throws {
        var server = machine { $0.maxMessagesPerSecond = 2 }
        var input = ByteBuffer(bytes: frame(0x81) + frame(0x01) + frame(0x80) + frame(0x81))
        #expect(try server.next(&input, now: at(0)) == .text(""))
        #expect(try server.next(&input, now: at(0)) == .text(""))
        #expect(throws: WSError.tooManyMessages(limit: 2)) { _ = try server.next(&input, now: at(0)) }
    }

    @Test("empty and tiny fragments are bounded per message", arguments: [0, 1, 15])
    func tinyFragments(size: Int) {
        let tiny = [UInt8](repeating: 0x61, count: size)
        let head = frame(0x01, tiny) + (0..<99).flatMap { _ in frame(0x00, tiny) }
        let limits: (inout WSLimits) -> Void = { $0.maxTinyFragments = 100 }
        let good = head + frame(0x80, tiny)
        #expect(run(machine(limits: limits), [(good + good)[...]]).events.count == 2)
        #expect(
            run(machine(limits: limits), [(head + frame(0x00, tiny))[...]]).error
                == .tooManyTinyFragments(limit: 100))
    }
}
