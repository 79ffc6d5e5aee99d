import Compression
import NIOCore
import Testing

@testable import WSKit

private let hello: [UInt8] = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
private let both = DeflateParameters()

private func deflated(_ bytes: [UInt8]) throws -> [UInt8] {
    var out = ByteBuffer()
    try Deflater().finishMessage(bytes.span.bytes, into: &out)
    return Array(out.readableBytesView)
}

@Suite struct MachineDeflateTests {
    @Test(
        "RFC 7692 §7.2.3 the examples",
        arguments: [
            hello, [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00],
            [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
            [0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00],
        ])
    func examples(bytes: [UInt8]) {
        for parameters in [both, noTakeover] {
            replay(frame(0xC1, bytes), to: Outcome(events: [.text("Hello")])) {
                machine(deflate: parameters)
            }
            let pieces = frame(0x41, Array(bytes[..<3])) + frame(0x89) + frame(0x80, Array(bytes[3...]))
            replay(pieces, to: Outcome(events: [.ping(""), .text("Hello")])) { machine(deflate: parameters) }
        }
    }

    @Test("§7.2.3.2 the second Hello refers to the first, only with context takeover")
    func sliding() {
        let second: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        let bytes = frame(0xC1, hello) + frame(0x81, "plain") + frame(0xC1, second)
        replay(bytes, to: Outcome(events: [.text("Hello"), .text("plain"), .text("Hello")])) {
            machine(deflate: both)
        }
        replay(bytes, to: Outcome(events: [.text("Hello"), .text("plain")], error: .corruptDeflate)) {
            machine(deflate: noTakeover)
        }
    }

    @Test("§7.2.3.6 an empty message")
    func empty() {
        replay(frame(0xC1, [0x00]), to: Outcome(events: [.text("")])) { machine(deflate: both) }
        replay(frame(0xC1), to: Outcome(events: [.text("")])) { machine(deflate: both) }
        replay(frame(0x42) + frame(0x80, [0x00]), to: Outcome(events: [.binary([])])) {
            machine(deflate: both)
        }
    }

    @Test("§6 RSV1 in a frame that does not begin a message")
    func misplaced() {
        replay(frame(0x41, hello) + frame(0xC0, hello), to: Outcome(error: .reservedBit)) {
            machine(deflate: both)
        }
        replay(frame(0xC9, "x"), to: Outcome(error: .reservedBit)) { machine(deflate: both) }
    }

    @Test("corrupt data closes with 1007, however it is split")
    func corrupt() {
        replay(frame(0xC1, [0xFF, 0xFF, 0xFF, 0xFF]), to: Outcome(error: .corruptDeflate)) {
            machine(deflate: both)
        }
        #expect(WSError.corruptDeflate.closeCode == .invalidPayload)
    }

    @Test("RFC 7692 §6.2 a message that ends in the middle of a block is corrupt, not a shorter message")
    func truncated() throws {
        let text = "The quick brown fox jumps over the lazy dog, and then some more text follows here."
        let packed = try deflated(Array(text.utf8))
        let stored: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C]
        for parameters in [both, noTakeover] {
            replay(frame(0xC2, stored), to: Outcome(error: .corruptDeflate)) { machine(deflate: parameters) }
            // The last byte contains only the beginning of the empty block that the tail completes.
            for count in 1..<packed.count - 1 {
                replay(frame(0xC2, Array(packed[..<count])), to: Outcome(error: .corruptDeflate)) {
                    machine(deflate: parameters)
                }
            }
        }
    }

    @Test(
        "RFC 7692 §7.2.2 the tail does not complete a truncated stored block, not even at the limit or in parts"
    )
    func shortStoredBlock() {
        let sound: [UInt8] = [0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00]
        for parameters in [both, noTakeover] {
            replay(frame(0xC2, sound), to: Outcome(events: [.binary(Array("Hello".utf8))])) {
                machine(deflate: parameters)
            }
            // If four bytes are missing, the tail would replace exactly those.
            for lacking in 1...5 {
                let bytes = frame(0xC2, Array(sound.dropLast(1 + lacking)))
                for limit in [1_000, max(1, 5 - lacking)] {
                    replay(bytes, to: Outcome(error: .corruptDeflate)) {
                        machine(deflate: parameters) { $0.maxMessageSize = limit }
                    }
                }
                let parts = machine(deflate: parameters, delivery: .parts) { $0.partSize = 1 }
                #expect(run(parts, [bytes[...]]).error == .corruptDeflate)
            }
        }
    }

    @Test("a message without an unfinished block gets no tail and does not corrupt later messages")
    func withoutTail() throws {
        // A final block, a tail that was not removed, and an empty message.
        let ended: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
        let unstripped = hello + [0x00, 0x00, 0xFF, 0xFF]
        let referring: [UInt8] = [0xF2, 0x00, 0x11, 0x00, 0x00]
        for (bytes, text) in [(ended, "Hello"), (unstripped, "Hello"), ([], "")] {
            replay(
                frame(0xC1, hello) + frame(0xC1, bytes) + frame(0xC1, referring),
                to: Outcome(events: [.text("Hello"), .text(text), .text("Hello")])
            ) { machine(deflate: both) }
        }
    }

    @Test("invalid UTF-8 is detected before the compressed message ends")
    func earlyUTF8() throws {
        // The beginning of a message stays compressed; incompressible data is larger than that.
        var random = SplitMix(state: 5)
        let long = (0..<6000).map { _ in UInt8.random(in: 0x20...0x7E, using: &random) }
        let packed = try deflated(Array("κόσμε".utf8) + [0xF4, 0x90] + long)
        let bytes = frame(0x41, packed)
        replay(bytes, to: Outcome(error: .invalidUTF8)) { machine(deflate: both) }
        replay(frame(0xC1, try deflated([0x61, 0xE2, 0x82])), to: Outcome(error: .invalidUTF8)) {
            machine(deflate: noTakeover)
        }
    }

    @Test("a decompression bomb stops exactly at the limit", arguments: [1_000, 65_536, 1 << 20])
    func bomb(limit: Int) throws {
        let exact = frame(0xC2, try deflated([UInt8](repeating: 0, count: limit)))
        let over = frame(0xC2, try deflated([UInt8](repeating: 0, count: limit + 1)))
        for parameters in [both, noTakeover] {
            #expect(
                run(machine(deflate: parameters) { $0.maxMessageSize = limit }, [exact[...]]).error == nil)
            replay(over, to: Outcome(error: .messageTooLarge(limit: limit))) {
                machine(deflate: parameters) { $0.maxMessageSize = limit }
            }
        }
    }

    @Test("padding without output is bounded too")
    func padding() {
        let padding = [UInt8]((0..<400).flatMap { _ in [0x00, 0x00, 0x00, 0xFF, 0xFF] as [UInt8] })
        let bytes = frame(0x42, padding) + frame(0x00, padding)
        let outcome = run(machine(deflate: both) { $0.maxMessageSize = 1_000 }, [bytes[...]])
        #expect(outcome.error == .messageTooLarge(limit: 1_000))
    }

    @Test("in parts, a decompression bomb is delivered in bounded parts")
    func bombInParts() throws {
        let bytes = frame(0xC2, try deflated([UInt8](repeating: 0, count: 3_000_000)))
        for chunk in [bytes.count, 100] {
            let chunks = stride(from: 0, to: bytes.count, by: chunk).map {
                bytes[$0..<min($0 + chunk, bytes.count)]
            }
            var sum = 0
            var finals = 0
            for case .part(.binary, let part, let isFinal) in run(
                machine(deflate: both, delivery: .parts), chunks
            ).events {
                #expect(part.readableBytes <= 64 << 10)
                sum += part.readableBytes
                finals += isFinal ? 1 : 0
            }
            #expect(sum == 3_000_000)
            #expect(finals == 1)
        }
    }

    @Test("messages that do not shrink are sent uncompressed")
    func plain() throws {
        var random = SplitMix(state: 1)
        let noise = (0..<500).map { _ in UInt8.random(in: 0...255, using: &random) }
        let text = String(repeating: "abc", count: 100)
        var server = machine(deflate: noTakeover)
        var out = ByteBuffer()
        try server.encode(Message(text: "short"), into: &out)
        #expect(out.readInteger(as: UInt8.self) == 0x81)
        out.clear()
        try server.encode(Message(binary: noise), into: &out)
        #expect(out.readInteger(as: UInt8.self) == 0x82)
        out.clear()
        try server.encode(Message(text: text), compress: false, into: &out)
        #expect(out.readInteger(as: UInt8.self) == 0x81)
        out.clear()
        try server.encode(Message(text: text), into: &out)
        #expect(out.readableBytes < 40)
        #expect(out.readInteger(as: UInt8.self) == 0xC1)
    }

    @Test("window bits 8: only messages that fit a window of 256 bytes are compressed")
    func smallestWindow() throws {
        let parameters = DeflateParameters(serverMaxWindowBits: 8, clientMaxWindowBits: 8)
        for mode in [DeflateMode.shared, .contextTakeover()] {
            var server = machine(deflate: parameters, mode: mode)
            var client = machine(.client, deflate: parameters)
            for (count, first) in [(256, UInt8(0xC1)), (257, 0x81)] {
                let message = Message(text: String(repeating: "x", count: count))
                var out = ByteBuffer()
                try server.encode(message, into: &out)
                #expect(out.getInteger(at: out.readerIndex) == first)
                #expect(try client.next(&out, now: start) == .message(message))
                out = try server.frame(for: PreparedMessage(message))
                #expect(out.getInteger(at: out.readerIndex) == first)
                #expect(try client.next(&out, now: start) == .message(message))
            }
        }
    }
}
