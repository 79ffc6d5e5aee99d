import HTTPKit
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

@Suite("A malicious server", .timeLimit(.minutes(2)))
struct HostileServerTests {
    private static let hints = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"

    @Test(
        "The number of interim responses is bounded, however they are split",
        arguments: [1, 7, 1000, 100_000])
    func interimResponses(_ size: Int) throws {
        let opening = try Opening()
        let bytes = Array(String(repeating: Self.hints, count: 100).utf8)
        for start in stride(from: 0, to: bytes.count, by: size) where opening.outcome() == nil {
            try opening.answer(String(decoding: bytes[start..<min(start + size, bytes.count)], as: UTF8.self))
        }
        #expect(opening.failure() as? ClientHandshakeError == .tooManyInterimResponses(limit: 8))
        #expect(!opening.channel.isActive)
    }

    @Test("The maximum number of interim responses may precede the 101")
    func fewInterimResponses() throws {
        let opening = try Opening { $0.maxInterimResponses = 3 }
        let request = try opening.request()
        try opening.answer(String(repeating: Self.hints, count: 3) + opening.acceptance(of: request))
        _ = try #require(opening.outcome()).get()
        opening.channel.pipeline.fireChannelInactive()
    }

    @Test("The size of all heads together is bounded; bytes after the 101 are not counted")
    func size() throws {
        let large = "HTTP/1.1 103 Early Hints\r\nLink: \(String(repeating: "a", count: 20_000))\r\n\r\n"
        let opening = try Opening()
        for _ in 0..<4 where opening.outcome() == nil { try opening.answer(large) }
        #expect(opening.failure() as? ClientHandshakeError == .tooLarge(limit: 64 << 10))

        let generous = try Opening()
        let request = try generous.request()
        try generous.answer(large + large)
        let behind = (0..<8).flatMap { _ in frame(0x82, String(repeating: "x", count: 60_000), key: nil) }
        try generous.answer(try generous.acceptance(of: request), then: behind)
        _ = try #require(generous.outcome()).get()
        generous.channel.pipeline.fireChannelInactive()
    }

    @Test("A proxy's responses count too")
    func proxy() throws {
        let opening = try Opening {
            $0.proxy = .init(host: "p", port: 1)
            $0.maxInterimResponses = 3
        }
        try opening.answer(Self.hints + Self.hints + "HTTP/1.1 200 OK\r\n\r\n" + Self.hints)
        #expect(opening.outcome() == nil)
        try opening.answer(Self.hints)
        #expect(opening.failure() as? ClientHandshakeError == .tooManyInterimResponses(limit: 3))
    }

    @Test("A head that arrives byte by byte is awaited until the timeout of the whole handshake")
    func dribble() throws {
        let opening = try Opening { $0.connectTimeout = .seconds(10) }
        for byte in "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket".prefix(9) {
            try opening.answer(String(byte))
            opening.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        }
        #expect(opening.outcome() == nil)
        opening.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(opening.failure() is WebSocketConnectError)
        #expect(!opening.channel.isActive)
    }

    @Test("Frames before the 101 are not a valid response")
    func framesFirst() throws {
        let opening = try Opening()
        try opening.answer("", then: frame(0x81, "hello", key: nil))
        #expect(opening.failure() is HTTPError)
    }

    @Test("The body of a response that does not open a WebSocket is not read")
    func body() throws {
        let opening = try Opening()
        try opening.answer("HTTP/1.1 500 x\r\nContent-Length: 999999999999\r\n\r\nxxxx")
        #expect(opening.failure() as? ClientHandshakeError == .status(500, location: nil))
        #expect(!opening.channel.isActive)
    }

    @Test(
        "Text from the server in an error cannot control a terminal, and is shortened")
    func descriptions() {
        let hostile = "\u{1B}[2J\u{9B}31m\n" + String(repeating: "x", count: 10_000)
        for error in [
            ClientHandshakeError.status(302, location: hostile), .subprotocol(hostile), .extensions(hostile),
        ] {
            let text = "\(error)"
            #expect(text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
            #expect(text.count < 400)
        }
    }

    @Test("A flood of pings closes the connection with 1008")
    func pings() throws {
        let opening = try Opening()
        try opening.answer(try opening.acceptance(of: try opening.request()))
        let socket = try #require(opening.outcome()).get()
        let pings = (0..<2_000).flatMap { _ in frame(0x89, "", key: nil) }
        try opening.answer("", then: pings)
        #expect(socket.connection.closeReason?.code == .policyViolation)
        opening.channel.pipeline.fireChannelInactive()
    }

    @Test("Reads are held back while nobody reads messages, and closing still works")
    func messages() async throws {
        let listener = try BareSocket()
        try listener.listen(backlog: 1)
        async let opened = WebSocketClient.connect(to: "ws://127.0.0.1:\(listener.port)/")
        let peer = try await listener.accept()
        peer.send(try Self.acceptance(of: try #require(try await peer.receiveHead())))
        let socket = try await opened
        let total = 256 << 20
        async let sent = peer.flood(frame(0x82, String(repeating: "x", count: 60_000), key: nil), upTo: total)
        let connection = socket.connection
        try await waitUntil { await connection.onLoopAsync { $0.input.isReadHeldBack } }
        let waiting = await connection.onLoopAsync { $0.input.buffer.readableBytes }
        // The read-ahead limit, plus one read and the rest of a frame.
        #expect(waiting <= 256 << 10)
        socket.connection.onLoop { $0.transportEnded(.lost(.transportClosed)) }
        #expect(try await sent < total)
    }

    private static func acceptance(of request: String) throws -> String {
        let line = try #require(
            request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key") })
        let key = String(line.drop { $0 != ":" }.dropFirst(2))
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(AcceptKey.value(for: key))\r\n\r\n"
    }
}
