import HTTPKit
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import WSKit

@Suite("SlowClientPolicy.latestOnly", .timeLimit(.minutes(3))) struct LatestOnlyTests {
    private static func message(_ number: Int, size: Int) -> Message {
        let digits = String(number)
        return Message(text: String(repeating: "0", count: max(0, size - digits.count)) + digits)
    }

    private static func number(_ text: String) -> Int? { Int(text) }

    @Test("few bytes are unsent; only the newest message is kept, and it is sent when they are read")
    func unsent() throws {
        let set = SocketSet()
        let harness = try ConnectionHarness()
        let holding = HeldFlushes()
        try harness.channel.pipeline.syncOperations.addHandler(holding, position: .first)
        set.add(harness.open(), policy: .latestOnly)
        let other = try ConnectionHarness(on: harness)
        set.add(other.open(), policy: .drop)
        func publish(_ numbers: Range<Int>, size: Int) {
            for number in numbers {
                set.broadcast(PreparedMessage(Self.message(number, size: size)), except: nil)
                harness.run()
            }
        }
        func numbers(_ harness: ConnectionHarness, size: Int) throws -> [Int] {
            let bytes = try harness.sent()
            return stride(from: 0, to: bytes.count, by: size + 4).map {
                Int(String(decoding: bytes[($0 + 4)..<($0 + 4 + size)], as: UTF8.self)) ?? -1
            }
        }
        // A burst that is read at once arrives completely.
        publish(0..<100, size: 1000)
        #expect(try numbers(harness, size: 1000) == Array(0..<100))
        _ = try other.sent()
        // Nothing is read: the messages within the limit were sent, then the newest one.
        holding.isHolding = true
        publish(0..<200, size: 1000)
        #expect(harness.channel.isWritable, "the send buffer is not full")
        holding.isHolding = false
        harness.channel.flush()
        let received = try numbers(harness, size: 1000)
        #expect(received == Array(0..<66) + [199])
        #expect(harness.connection.sockets.statistics.messagesDropped == 133)
        #expect(
            try numbers(other, size: 1000) == Array(0..<200), "other policies keep what fits into the buffer")
        // Afterwards messages are sent as before.
        publish(0..<10, size: 1000)
        #expect(try numbers(harness, size: 1000) == Array(0..<10))
    }

    @Test("over TCP a client that pauses gets a few stale messages, then the newest")
    func overTCP() async throws {
        let rooms = Rooms()
        let (size, count) = (100_000, 100)
        try await LiveServer.run(rooms: rooms) { socket in
            try await rooms["x"].join(socket, slowClients: .latestOnly) { _ in
                try await socket.send("joined")
                for try await _ in socket.messages {}
            }
        } test: { server in
            let client = try BareSocket.connected(to: server.port)
            client.send(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            var reader = FrameReader(client)
            try await reader.skipHead()
            #expect(try await reader.text() == "joined")
            let member = try #require(await rooms["x"].members.first)
            for number in 0..<count {
                rooms.publish(Self.message(number, size: size), to: "x")
                // It has been delivered, and the loop has checked whether the kernel accepts it.
                _ = await member.closeReason
            }
            var stale = 0
            while let text = try await reader.text(), Int(text) != count - 1 { stale += 1 }
            #expect(stale <= 8, "\(stale) stale messages of 100 kB")
            rooms.publish(Self.message(count, size: size), to: "x")
            #expect(try await reader.text().flatMap { Int($0) } == count)
        }
    }
}

/// A transport that accepts nothing for a while although its buffer is not full.
private final class HeldFlushes: ChannelOutboundHandler {
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData
    var isHolding = false

    func flush(context: ChannelHandlerContext) { if !isHolding { context.flush() } }
}

/// Reads a server's text frames from a bare socket.
private struct FrameReader {
    private let socket: BareSocket
    private var bytes: [UInt8] = []

    init(_ socket: BareSocket) { self.socket = socket }

    private mutating func fill(_ count: Int) async throws -> Bool {
        while bytes.count < count {
            guard let more = try await socket.receive() else { return false }
            bytes += more
        }
        return true
    }

    /// Skips the response to the handshake.
    mutating func skipHead() async throws {
        let end = Array("\r\n\r\n".utf8)
        while bytes.suffix(4) != end[...] {
            // One byte at a time, so that no frame is read with it.
            guard let more = try await socket.receive(atMost: 1) else { return }
            bytes += more
        }
        bytes = []
    }

    /// The payload of the next frame; nil at the end.
    mutating func text() async throws -> String? {
        guard try await fill(2) else { return nil }
        let short = Int(bytes[1])
        let head = short < 126 ? 2 : short == 126 ? 4 : 10
        guard try await fill(head) else { return nil }
        let length = short < 126 ? short : bytes[2..<head].reduce(0) { $0 << 8 | Int($1) }
        guard try await fill(head + length) else { return nil }
        let text = String(decoding: bytes[head..<(head + length)], as: UTF8.self)
        bytes.removeFirst(head + length)
        return text
    }
}
