import HTTPKit
import HTTPTypes
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

/// The client's handshake on a channel without a socket; the test is the server, the proxy and the clock.
struct Opening {
    let channel = EmbeddedChannel()
    let future: EventLoopFuture<WebSocket>

    init(_ configure: (inout WebSocketClientOptions) -> Void = { _ in }) throws {
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let options = WebSocketClientOptions(configure)
        let handler = HandshakeHandler(
            address: try WebSocketAddress("ws://[::1]:81/x?y"), options: options,
            loop: LoopContext(eventLoop: channel.embeddedEventLoop), logger: Logger(label: "test"),
            remaining: TimeAmount(options.connectTimeout))
        try channel.pipeline.syncOperations.addHandler(handler)
        future = handler.begin(channel)
    }

    func request() throws -> String {
        channel.embeddedEventLoop.run()
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        return text
    }

    func answer(_ text: String, then bytes: [UInt8] = []) throws {
        try channel.writeInbound(ByteBuffer(bytes: Array(text.utf8) + bytes))
        channel.embeddedEventLoop.run()
    }

    /// A valid server's response to `request`.
    func acceptance(of request: String, _ more: String = "") throws -> String {
        let line = try #require(
            request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key") })
        let key = line.drop { $0 != ":" }.dropFirst(2)
        let accept = Base64.encode(
            SHA1.digest(Array((String(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
        return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(accept)\r\n\(more)\r\n"
    }

    /// The result; `nil` while the handshake continues.
    func outcome() -> Result<WebSocket, any Error>? {
        channel.embeddedEventLoop.run()
        let outcome = NIOLoopBoundBox<Result<WebSocket, any Error>?>(
            nil, eventLoop: channel.embeddedEventLoop)
        future.whenComplete { outcome.value = $0 }
        return outcome.value
    }

    func failure() -> (any Error)? {
        if case .failure(let error) = outcome() { error } else { nil }
    }
}

@Suite struct ClientHandshakeOnChannelTests {
    @Test("RFC 6455 §4.1: request, interim responses, 101, and the frames after it are not lost")
    func opens() throws {
        let opening = try Opening { $0.fields = [.origin: "http://page", .connection: "close"] }
        let request = try opening.request()
        #expect(request.hasPrefix("GET /x?y HTTP/1.1\r\nHost: [::1]:81\r\n"))
        #expect(request.contains("Origin: http://page\r\n"))
        #expect(
            request.lowercased().components(of: "connection:") == 1, "the caller's own fields displace none")
        try opening.answer("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
        #expect(opening.outcome() == nil)
        try opening.answer(try opening.acceptance(of: request), then: frame(0x81, "first", key: nil))
        let socket = try #require(opening.outcome()).get()
        #expect(socket.connection.input.inbox.isFull(maxMessages: 1, maxBytes: .max))
        opening.channel.pipeline.fireChannelInactive()
    }

    @Test(
        "responses that do not open a WebSocket, each with its error",
        arguments: [
            ("HTTP/1.1 302 Found\r\nLocation: /y\r\n\r\n", ClientHandshakeError.status(302, location: "/y")),
            ("HTTP/1.1 403 Forbidden\r\n\r\n", .status(403, location: nil)),
            ("HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", .upgrade),
            ("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", .connection),
            (
                "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
                .accept
            ),
        ])
    func refused(_ answer: String, _ error: ClientHandshakeError) throws {
        let opening = try Opening()
        try opening.answer(answer)
        #expect(opening.failure() as? ClientHandshakeError == error)
        #expect(!opening.channel.isActive)
    }

    @Test("a response that is not HTTP or never ends")
    func unreadable() throws {
        let opening = try Opening()
        try opening.answer("SSH-2.0-x\r\n\r\n")
        #expect(opening.failure() is HTTPError)
        let endless = try Opening()
        for _ in 0..<40 where endless.outcome() == nil {
            try endless.answer(String(repeating: "a", count: 8192))
        }
        #expect(endless.failure() != nil)
    }

    @Test("RFC 9110 §9.3.6: a tunnel through the proxy is opened first; its rejection fails the attempt")
    func proxy() throws {
        let proxy = WebSocketClientOptions.Proxy(host: "p", port: 3128, authorization: "Basic eA==")
        let opening = try Opening { $0.proxy = proxy }
        #expect(
            try opening.request()
                == "CONNECT [::1]:81 HTTP/1.1\r\nHost: [::1]:81\r\nProxy-Authorization: Basic eA==\r\n\r\n")
        try opening.answer("HTTP/1.1 200 OK\r\n\r\n")
        let request = try opening.request()
        #expect(!request.contains("Proxy-Authorization"), "the server does not get the proxy's credentials")
        try opening.answer(try opening.acceptance(of: request))
        _ = try #require(opening.outcome()).get()
        opening.channel.pipeline.fireChannelInactive()

        let refusing = try Opening { $0.proxy = proxy }
        try refusing.answer("HTTP/1.1 407 No\r\n\r\n")
        #expect(refusing.failure() is WebSocketConnectError)
    }

    @Test("a server that never responds, and one that disconnects")
    func silence() throws {
        let silent = try Opening { $0.connectTimeout = .seconds(3) }
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(silent.outcome() == nil)
        silent.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(silent.failure() is WebSocketConnectError)
        let gone = try Opening()
        gone.channel.pipeline.fireChannelInactive()
        #expect(gone.failure() is WebSocketConnectError)
    }
}

extension String {
    fileprivate func components(of part: String) -> Int {
        split(separator: "\r\n").filter { $0.hasPrefix(part) }.count
    }
}
