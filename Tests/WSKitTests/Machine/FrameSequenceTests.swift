import NIOCore
import Testing

@testable import WSKit

struct SequenceCase: CustomTestStringConvertible {
    let name: String
    let bytes: [UInt8]
    var events: [WebSocketMachine.Event] = []
    var error: WSError?
    var testDescription: String { name }
}

private let sequences: [SequenceCase] = [
    SequenceCase(name: "§5.7 a masked text", bytes: frame(0x81, "Hello"), events: [.text("Hello")]),
    SequenceCase(name: "an empty text", bytes: frame(0x81), events: [.text("")]),
    SequenceCase(name: "an empty binary", bytes: frame(0x82), events: [.binary([])]),
    SequenceCase(
        name: "three messages", bytes: frame(0x81, "a") + frame(0x82, [1, 2]) + frame(0x81, "c"),
        events: [.text("a"), .binary([1, 2]), .text("c")]),
    SequenceCase(
        name: "§5.4 in fragments with a ping between",
        bytes: frame(0x01, "Hel") + frame(0x89, "x") + frame(0x00, "") + frame(0x80, "lo"),
        events: [.ping("x"), .text("Hello")]),
    SequenceCase(
        name: "an unsolicited pong", bytes: frame(0x8A, "y"),
        events: [.pong(ByteBuffer(string: "y"))]),
    SequenceCase(
        name: "a ping of 125 bytes", bytes: frame(0x89, [UInt8](repeating: 0xFE, count: 125)),
        events: [.ping(ByteBuffer(repeating: 0xFE, count: 125))]),
    SequenceCase(
        name: "a ping of 126 bytes", bytes: frame(0x89, [UInt8](repeating: 0, count: 126)),
        error: .controlTooLong),
    SequenceCase(name: "a ping in fragments", bytes: frame(0x09, "x"), error: .fragmentedControl),
    SequenceCase(name: "RSV1", bytes: frame(0xC1, "x"), error: .reservedBit),
    SequenceCase(name: "RSV2", bytes: frame(0xA1, "x"), error: .reservedBit),
    SequenceCase(name: "RSV3", bytes: frame(0x91, "x"), error: .reservedBit),
    SequenceCase(
        name: "RSV in a ping after a good message", bytes: frame(0x81, "a") + frame(0xF9, "x"),
        events: [.text("a")], error: .reservedBit),
    SequenceCase(name: "no mask", bytes: frame(0x81, "x", key: nil), error: .missingMask),
    SequenceCase(name: "no message to continue", bytes: frame(0x80, "x"), error: .unexpectedContinuation),
    SequenceCase(
        name: "no message to continue, in fragments", bytes: frame(0x00, "x"), error: .unexpectedContinuation),
    SequenceCase(
        name: "continued after its end", bytes: frame(0x01, "a") + frame(0x80, "b") + frame(0x80, "c"),
        events: [.text("ab")], error: .unexpectedContinuation),
    SequenceCase(
        name: "a new text within a text", bytes: frame(0x01, "a") + frame(0x81, "b"),
        error: .expectedContinuation),
    SequenceCase(
        name: "length 5 in 2 bytes", bytes: frame(0x81, length: [126, 0, 5]), error: .lengthNotMinimal),
    SequenceCase(
        name: "length 125 in 2 bytes", bytes: frame(0x82, length: [126, 0, 125]), error: .lengthNotMinimal),
    SequenceCase(
        name: "length 65535 in 8 bytes", bytes: frame(0x82, length: [127, 0, 0, 0, 0, 0, 0, 255, 255]),
        error: .lengthNotMinimal),
    SequenceCase(
        name: "length with its highest bit set", bytes: frame(0x82, length: [127, 128, 0, 0, 0, 0, 0, 0, 1]),
        error: .lengthTooLarge),
    SequenceCase(
        name: "the largest length",
        bytes: frame(0x82, length: [127, 127, 255, 255, 255, 255, 255, 255, 255]),
        error: .messageTooLarge(limit: 1 << 20)),
    SequenceCase(
        name: "the largest length after a fragment",
        bytes: frame(0x02, "abc") + frame(0x80, length: [127, 127, 255, 255, 255, 255, 255, 255, 255]),
        error: .messageTooLarge(limit: 1 << 20)),
    SequenceCase(
        name: "§5.5.1 close with a reason",
        bytes: frame(0x88, [0x03, 0xE8] + Array("bye".utf8)) + frame(0x81, "x"),
        events: [.close(CloseReason(code: .normal, text: "bye", initiator: .peer, isClean: true))]),
    SequenceCase(
        name: "close without a code", bytes: frame(0x88),
        events: [.close(CloseReason(code: .noStatus, initiator: .peer, isClean: true))]),
    SequenceCase(name: "close of one byte", bytes: frame(0x88, [0x03]), error: .closePayload),
    SequenceCase(
        name: "close with a reason that is not UTF-8", bytes: frame(0x88, [0x03, 0xE8, 0xC3]),
        error: .invalidUTF8),
    SequenceCase(
        name: "close of 125 bytes",
        bytes: frame(0x88, [0x03, 0xE8] + [UInt8](repeating: 0x61, count: 123)),
        events: [
            .close(
                CloseReason(
                    code: .normal, text: String(repeating: "a", count: 123), initiator: .peer, isClean: true))
        ]),
    SequenceCase(
        name: "close of 126 bytes",
        bytes: frame(0x88, [0x03, 0xE8] + [UInt8](repeating: 0x61, count: 124)),
        error: .controlTooLong),
    SequenceCase(
        name: "§8.1 a character across fragments", bytes: frame(0x01, [0xE2, 0x82]) + frame(0x80, [0xAC]),
        events: [.text("€")]),
    SequenceCase(
        name: "a text that ends within a character", bytes: frame(0x81, [0xE2, 0x82]), error: .invalidUTF8),
    SequenceCase(
        name: "fragments that end within a character",
        bytes: frame(0x01, [0x61]) + frame(0x80, [0xF0, 0x9F]), error: .invalidUTF8),
    SequenceCase(
        name: "Autobahn 6.4: invalid in the middle fragment, which ends the connection before the last",
        bytes: frame(0x01, "κόσμε") + frame(0x00, [0xF4, 0x90]) + frame(0x00, length: [126, 0x10, 0x00]),
        error: .invalidUTF8),
]

@Suite struct FrameSequenceTests {
    @Test("RFC 6455 §5 frames that a server receives", arguments: sequences)
    func sequence(_ test: SequenceCase) {
        replay(test.bytes, to: Outcome(events: test.events, error: test.error)) { machine() }
    }

    @Test("§5.2 reserved opcodes", arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8])
    func reserved(opcode: UInt8) {
        replay(frame(0x80 | opcode, "x"), to: Outcome(error: .reservedOpcode(opcode))) { machine() }
    }

    @Test(
        "§5.2 every length boundary, in both directions",
        arguments: [0, 1, 124, 125, 126, 127, 128, 4_095, 65_535, 65_536, 70_001])
    func lengths(count: Int) throws {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        replay(frame(0x82, payload), to: Outcome(events: [.binary(payload)])) { machine() }
        replay(frame(0x82, payload, key: nil), to: Outcome(events: [.binary(payload)])) { machine(.client) }
        var out = ByteBuffer()
        var server = machine()
        try server.encode(Message(binary: payload), into: &out)
        #expect(Array(out.readableBytesView) == frame(0x82, payload, key: nil))
        out.clear()
        var client = machine(.client)
        try client.encode(Message(binary: payload), into: &out)
        #expect(run(machine(), [Array(out.readableBytesView)[...]]).events == [.binary(payload)])
    }

    @Test("§5.1 a client rejects a masked frame")
    func maskedByServer() {
        replay(frame(0x81, "x"), to: Outcome(error: .unexpectedMask)) { machine(.client) }
        replay(frame(0x81, "x", key: nil), to: Outcome(events: [.text("x")])) { machine(.client) }
    }

    @Test("§5.3 every frame has another key")
    func keys() throws {
        var client = machine(.client)
        var seen: Set<[UInt8]> = []
        for _ in 0..<100 {
            var out = ByteBuffer()
            client.encodePing(into: &out)
            seen.insert(Array(out.readableBytesView.suffix(4)))
        }
        #expect(seen.count == 100)
        var system = MaskKeys.system
        #expect(system.next() != system.next())
    }

    @Test("a frame over the limit is rejected by its header, before its payload")
    func early() {
        let header = Array(frame(0x82, [UInt8](repeating: 0, count: 1_001)).prefix(8))
        #expect(
            run(machine { $0.maxMessageSize = 1_000 }, [header[...]]).error == .messageTooLarge(limit: 1_000))
        #expect(run(machine { $0.maxFrameSize = 1_000 }, [header[...]]).error == .frameTooLarge(limit: 1_000))
        let exact = frame(0x82, [UInt8](repeating: 0, count: 1_000))
        #expect(run(machine { $0.maxMessageSize = 1_000 }, [exact[...]]).error == nil)
        let sum = frame(0x02, [UInt8](repeating: 0, count: 999)) + frame(0x80, [1, 2]).prefix(6)
        #expect(
            run(machine { $0.maxMessageSize = 1_000 }, [sum[...]]).error == .messageTooLarge(limit: 1_000))
    }

    @Test("an incomplete frame's memory grows with the received bytes, not with the announced size")
    func announced() throws {
        var server = machine { $0.maxMessageSize = 1 << 40 }
        var input = ByteBuffer(
            bytes: frame(0x82, length: [127, 0, 0, 0, 127, 255, 255, 255, 255]) + [1, 2, 3])
        #expect(try server.next(&input, now: start) == nil)
        #expect(input.readableBytes == 0)
    }

    @Test("messages are split into frames of at most the frame size")
    func split() throws {
        var out = ByteBuffer()
        var server = machine { $0.sentFrameSize = 4 }
        try server.encode(Message(text: "Hello World!x"), into: &out)
        let expected =
            frame(0x01, "Hell", key: nil) + frame(0x00, "o Wo", key: nil) + frame(0x00, "rld!", key: nil)
            + frame(0x80, "x", key: nil)
        #expect(Array(out.readableBytesView) == expected)
        #expect(run(machine(.client), [expected[...]]).events == [.text("Hello World!x")])
    }

    @Test("received in parts: each arrival is delivered, and the total size is not limited")
    func parts() {
        let bytes = frame(0x01, "Hel") + frame(0x89) + frame(0x00) + frame(0x80, "lo")
        let whole = run(machine(delivery: .parts) { $0.maxMessageSize = 2 }, [bytes[...]])
        #expect(
            whole.events == [
                .part(.text, ByteBuffer(string: "Hel"), isFinal: false), .ping(""),
                .part(.text, ByteBuffer(string: "lo"), isFinal: true),
            ])
        let single = run(machine(delivery: .parts), bytes.indices.map { bytes[$0...$0] })
        var text = ""
        for case .part(_, let part, _) in single.events { text += String(buffer: part) }
        #expect(text == "Hello")
        #expect(single.events.count == 1 + 5)
    }

    @Test("an unfinished message is delivered in parts when the application changes the delivery")
    func turned() throws {
        var server = machine()
        var input = ByteBuffer(bytes: frame(0x02, [1, 2]))
        #expect(try server.next(&input, now: start) == nil)
        server.delivery = .parts
        input = ByteBuffer(bytes: frame(0x80, [3]))
        #expect(
            try server.next(&input, now: start)
                == .part(.binary, ByteBuffer(bytes: [1, 2, 3]), isFinal: true))
    }

    @Test("sent in parts: a ping may come between, but no other message")
    func sentParts() throws {
        var server = machine()
        var out = ByteBuffer()
        try server.encodePart(.text, ByteBuffer(string: "a"), isFinal: false, into: &out)
        server.encodePing(into: &out)
        #expect(throws: WSError.messageInProgress) { try server.encode(Message(text: "no"), into: &out) }
        try server.encodePart(.text, ByteBuffer(string: "b"), isFinal: true, into: &out)
        #expect(
            Array(out.readableBytesView)
                == frame(0x01, "a", key: nil) + frame(0x89, key: nil) + frame(0x80, "b", key: nil))
        try server.encode(Message(text: "yes"), into: &out)
    }
}
