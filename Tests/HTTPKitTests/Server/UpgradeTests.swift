import HTTPTypes
import NIOCore
import Testing

@testable import HTTPKit

@Suite("RFC 9110 §7.8: the change of protocol")
struct UpgradeTests {
    private static let get = "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"
    private static let upgrade = "GET /up HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"

    /// Notes what it is given first, and all that comes later.
    private final class Taker: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let notes: Notes

        init(_ notes: Notes) { self.notes = notes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            notes.add("later: \(String(buffer: unwrapInboundIn(data)))")
        }
    }

    private static func answer(_ notes: Notes) -> Response {
        Response(
            upgrade: Upgrade { upgraded in
                notes.add("unread: \(String(buffer: upgraded.unread))")
                notes.add("closed: \(upgraded.isInputClosed)")
                let channel = upgraded.channel
                channel.pipeline.addHandler(Taker(notes)).assumeIsolated().whenFailure { notes.add("\($0)") }
            }, fields: [.connection: "Upgrade", .upgrade: "x"])
    }

    @Test("Any request of a connection may upgrade, and no octet behind it is lost", arguments: [0, 2])
    func handOver(before: Int) throws {
        let notes = Notes()
        try withWire {
            $0.path == "/up" ? Self.answer(notes) : .text("x")
        } test: { wire in
            wire.send(String(repeating: Self.get, count: before) + Self.upgrade + "first")
            wire.send("second")
            let answer = wire.received()
            #expect(statuses(answer) == Array(repeating: 200, count: before) + [101])
            #expect(
                answer.hasSuffix(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
            #expect(notes.lines == ["unread: first", "closed: false", "later: second"])
            #expect(wire.loop.memberCount == 0)
        }
    }

    @Test("What arrives while the handler makes up its mind is handed over too")
    func slowHandler() throws {
        let notes = Notes()
        let gate = Gate()
        try withWire { _ in
            await gate.pass()
            return Self.answer(notes)
        } test: { wire in
            wire.send(Self.upgrade + "a")
            wire.send("b")
            wire.send("c")
            wire.sendEnd()
            gate.open()
            wire.settle()
            #expect(notes.lines.first == "unread: abc")
            #expect(notes.lines.last == "closed: true")
        }
    }

    @Test("Middleware may refuse an upgrade by another answer, or by another status")
    func refused() throws {
        let notes = Notes()
        try withWire { request in
            guard request.path == "/up" else { return .text("x") }
            var response = Self.answer(notes)
            response.status = .forbidden
            return response
        } test: { wire in
            #expect(statuses(wire.exchange(Self.upgrade + Self.get)) == [403, 200])
            #expect(notes.lines.isEmpty)
        }
    }

    @Test("RFC 9110 §7.8: with content, or in HTTP/1.0, there is no upgrade")
    func notPossible() throws {
        let notes = Notes()
        try withWire { _ in
            Self.answer(notes)
        } test: { wire in
            #expect(
                statuses(wire.exchange("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")) == [400])
            #expect(statuses(wire.exchange("GET / HTTP/1.0\r\n\r\n")) == [400])
            #expect(notes.lines.isEmpty)
        }
    }

    @Test("RFC 9110 §7.8: an upgrade that nobody takes is an ordinary request")
    func ignored() throws {
        try withWire { _ in
            .text("x")
        } test: { wire in
            #expect(statuses(wire.exchange(Self.upgrade + Self.get)) == [200, 200])
        }
    }
}
