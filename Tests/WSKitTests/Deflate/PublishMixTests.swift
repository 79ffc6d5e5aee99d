import NIOCore
import Testing

@testable import WSKit

/// Chat messages as JSON. Context takeover suits similar messages.
private func chat(_ random: inout SplitMix) -> Message {
    let words = ["hello", "socket", "page", "port", "frame", "über", "🎉", "room", "tab", "who?"]
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return Message(text: "")
    case 1:
        let count = Int.random(in: 0...40_000, using: &random)
        return Message(binary: (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    case 2:
        return Message(text: String(repeating: "long ", count: Int.random(in: 1...15_000, using: &random)))
    default:
        let text = (0..<Int.random(in: 1...30, using: &random)).map { _ in
            words.randomElement(using: &random) ?? ""
        }
        return Message(
            text: "{\"kind\":\"said\",\"name\":\"ann\",\"text\":\"\(text.joined(separator: " "))\"}")
    }
}

@Suite struct PublishMixTests {
    @Test(
        "10,000 messages, sent, published, streamed, uncompressed, with sleeps, for one decompressor",
        arguments: 9...15)
    func mix(windowBits: Int) throws {
        let codecs = SharedDeflate()
        let parameters = DeflateParameters(serverMaxWindowBits: windowBits, clientMaxWindowBits: windowBits)
        var random = SplitMix(state: UInt64(windowBits))
        var server = machine(
            deflate: parameters, mode: .contextTakeover(windowBits: windowBits), shared: codecs
        ) { $0.sentFrameSize = 5_000 }
        var client = machine(.client, deflate: parameters, mode: .contextTakeover(windowBits: windowBits))
        var out = ByteBuffer()
        for round in 0..<(10_000 / 7) {
            let message = chat(&random)
            out.clear()
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3: try server.encode(message, into: &out)
            case 4: try server.encode(message, compress: false, into: &out)
            case 5: try stream(message, &server, &out, &random)
            default: try server.encode(PreparedMessage(message), into: &out)
            }
            if round % 50 == 17 { server.sleep() }
            if round % 70 == 33 { client.sleep() }
            try #require(try client.next(&out, now: start) == .message(message), "round \(round)")
            try #require(try client.next(&out, now: start) == nil)
            // In the other direction, the server's decompressor sleeps too.
            try client.encode(message, into: &out)
            try #require(try server.next(&out, now: start) == .message(message), "back, round \(round)")
        }
        #expect(server.isAwake)
        server.sleep()
        client.sleep()
        #expect(!server.isAwake && !client.isAwake)
    }

    private func stream(
        _ message: Message, _ server: inout WebSocketMachine, _ out: inout ByteBuffer,
        _ random: inout SplitMix
    ) throws {
        var rest = message.payload
        while rest.readableBytes > 0,
            let part = rest.readSlice(length: Int.random(in: 1...rest.readableBytes, using: &random))
        {
            try server.encodePart(message.kind, part, isFinal: false, into: &out)
            if rest.readableBytes > 10_000 { continue }
            break
        }
        server.sleep()
        try server.encodePart(message.kind, rest, isFinal: true, into: &out)
    }

    @Test("connections whose messages arrive interleaved share one set of codecs")
    func interleaved() throws {
        let codecs = SharedDeflate()
        var random = SplitMix(state: 21)
        var servers = (0..<10).map { _ in machine(deflate: noTakeover, shared: codecs) }
        var client = machine(.client, deflate: noTakeover)
        for _ in 0..<50 {
            let messages = servers.map { _ in chat(&random) }
            var wires: [ByteBuffer] = []
            for message in messages {
                var out = ByteBuffer()
                try client.encode(message, into: &out)
                wires.append(out)
            }
            var got = [Message?](repeating: nil, count: servers.count)
            while wires.contains(where: { $0.readableBytes > 0 }) {
                for index in servers.indices {
                    let count = min(wires[index].readableBytes, Int.random(in: 0...2_000, using: &random))
                    var piece = wires[index].readSlice(length: count) ?? ByteBuffer()
                    if case .message(let message)? = try servers[index].next(&piece, now: start) {
                        got[index] = message
                    }
                }
            }
            #expect(got == messages)
        }
    }

    @Test("a prepared message is encoded once per window size")
    func prepared() throws {
        let codecs = SharedDeflate()
        var random = SplitMix(state: 4)
        let block = (0..<900).map { _ in UInt8.random(in: 0...255, using: &random) }
        let message = Message(binary: block + block)
        let prepared = PreparedMessage(message)
        var narrow = machine(deflate: DeflateParameters(serverMaxWindowBits: 9), shared: codecs)
        var wide = machine(deflate: noTakeover, shared: codecs)
        // With 512 bytes of history the repetition is too far back.
        #expect(try narrow.frame(for: prepared).readableBytes > 1_800)
        #expect(try wide.frame(for: prepared).readableBytes < 1_000)
        var plain = machine()
        #expect(try plain.frame(for: prepared) == prepared.plainFrame)
        var client = machine(.client)
        var out = prepared.plainFrame
        #expect(try client.next(&out, now: start) == .message(message))
        let secret = PreparedMessage(message, compress: false)
        #expect(try wide.frame(for: secret) == secret.plainFrame)
    }
}
