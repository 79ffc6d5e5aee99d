import NIOCore
import Testing

@testable import WSKit

@Suite struct FuzzTests {
    @Test("random and damaged bytes cause nothing worse than an error", arguments: [Role.server, .client])
    func noise(role: Role) {
        var random = SplitMix(state: role == .server ? 100 : 200)
        let mask: [UInt8]? = role == .server ? key : nil
        let seeds: [[UInt8]] = [
            frame(0x81, "Hello", key: mask) + frame(0x01, "κό", key: mask) + frame(0x80, "σμε", key: mask),
            frame(0xC1, [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], key: mask)
                + frame(0xC1, [0xF2, 0x00, 0x11, 0x00, 0x00], key: mask),
            frame(0x89, "ping", key: mask) + frame(0x82, [UInt8](repeating: 9, count: 200), key: mask)
                + frame(0x88, [0x03, 0xE8], key: mask),
        ]
        let codecs = SharedDeflate()
        var errors = 0
        for round in 0..<60_000 {
            var bytes: [UInt8]
            if round % 4 == 0 {
                bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            } else {
                bytes = seeds[round % seeds.count]
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
            }
            let subject = machine(
                role, deflate: round % 3 == 0 ? nil : round % 3 == 1 ? noTakeover : DeflateParameters(),
                shared: codecs, delivery: round % 5 == 0 ? .parts : .whole
            ) { $0.maxMessageSize = 300 }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let pieces = run(subject, [bytes[..<cut], bytes[cut...]])
            errors += pieces.error == nil ? 0 : 1
            if round % 5 != 0 {
                #expect(pieces == run(subject.fresh(codecs, round), [bytes[...]]), "\(bytes)")
            }
            for case .message(let message) in pieces.events {
                #expect(message.count <= 300)
                if message.kind == .text {
                    #expect(String(validating: message.payload.readableBytesView, as: UTF8.self) != nil)
                }
            }
        }
        #expect(errors > 10_000 && errors < 60_000)
    }

    @Test("a random conversation arrives as it was sent, however it is split", arguments: [0, 1, 2])
    func conversation(kind: Int) throws {
        let deflate = [nil, noTakeover, DeflateParameters()][kind]
        var random = SplitMix(state: UInt64(kind))
        var client = machine(.client, deflate: deflate, mode: .contextTakeover()) { $0.sentFrameSize = 700 }
        var server = machine(deflate: deflate)
        for _ in 0..<3_000 {
            let count = Int.random(in: 0...10, using: &random) == 0 ? 70_000 : 300
            // 200 random bytes, repeated: quick to generate, and as compressible as text.
            let block = (0..<200).map { _ in UInt8.random(in: 97...122, using: &random) }
            let length = Int.random(in: 0...count, using: &random)
            let bytes = Array(repeatElement(block, count: length / 200 + 1).joined().prefix(length))
            let message = Message(
                kind: Bool.random(using: &random) ? .text : .binary, payload: ByteBuffer(bytes: bytes))
            var wire = ByteBuffer()
            try client.encode(message, into: &wire)
            var got: [WebSocketMachine.Event] = []
            while wire.readableBytes > 0 {
                let cut = min(wire.readableBytes, Int.random(in: 1...20_000, using: &random))
                var piece = wire.readSlice(length: cut) ?? ByteBuffer()
                while let event = try server.next(&piece, now: start) { got.append(event) }
            }
            try #require(got == [.message(message)])
        }
    }
}

extension WebSocketMachine {
    /// A new machine with the parameters of that round.
    fileprivate func fresh(_ codecs: SharedDeflate, _ round: Int) -> WebSocketMachine {
        WebSocketMachine(
            role: role, limits: limits,
            deflate: round % 3 == 0 ? nil : round % 3 == 1 ? noTakeover : DeflateParameters(), shared: codecs,
            maskKeys: .repeatable(seed: 1), delivery: delivery, now: start)
    }
}
