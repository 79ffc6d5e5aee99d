import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing
import WSKit

@testable import HTTP2Kit
@testable import HTTPKit

/// Streams that an extended CONNECT has made channels of (RFC 8441).
@Suite struct TunnelTests {
    /// Sends back what it reads.
    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = IOData
        let notes: Notes

        init(_ notes: Notes) { self.notes = notes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(.byteBuffer(unwrapInboundIn(data))), promise: nil)
        }
        func channelActive(context: ChannelHandlerContext) { notes.add("active") }
        func channelInactive(context: ChannelHandlerContext) { notes.add("inactive") }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is ChannelShouldQuiesceEvent { notes.add("quiesce") }
            if (event as? ChannelEvent) == .inputClosed {
                notes.add("input closed")
                context.close(promise: nil)
            }
        }
    }

    private func wire(_ notes: Notes) throws -> HTTP2Wire {
        try HTTP2Wire { _ in
            .upgrade(fields: [:]) { upgraded in
                do {
                    try upgraded.channel.pipeline.syncOperations.addHandler(Echo(notes))
                } catch {
                    upgraded.channel.close(promise: nil)
                }
            }
        }
    }

    private func connect(_ wire: HTTP2Wire, stream: UInt32) throws {
        var head = HTTP2Wire.head("CONNECT", "/ws")
        head.insert((":protocol", "websocket"), at: 1)
        try wire.send(wire.frame(1, 4, stream: stream, HTTP2Wire.block(head)))
    }

    @Test("bytes go both ways, and END_STREAM is the end of a direction")
    func echo() throws {
        let notes = Notes()
        let wire = try wire(notes)
        try connect(wire, stream: 1)
        let opened = try wire.summary()
        try wire.data("one", stream: 1)
        try wire.data("two", stream: 1)
        let echoed = try wire.summary()
        try wire.data("", stream: 1, end: true)
        let ended = try wire.summary()
        #expect(opened == ["1 :status: 200"])
        #expect(echoed == ["1 data one", "1 data two"])
        #expect(ended == ["1 data  end"])
        #expect(notes.all == ["active", "input closed", "inactive"])
        #expect(wire.connection.streams.isEmpty)
    }

    @Test("RST_STREAM ends the channel, and so does the end of the connection")
    func reset() throws {
        let notes = Notes()
        let wire = try wire(notes)
        try connect(wire, stream: 1)
        try connect(wire, stream: 3)
        try wire.reset(1)
        #expect(notes.all == ["active", "active", "inactive"])
        wire.channel.pipeline.fireChannelInactive()
        wire.run()
        #expect(notes.all == ["active", "active", "inactive", "inactive"])
    }

    @Test("the window of the stream is the channel's backpressure")
    func backpressure() throws {
        let notes = Notes()
        let wire = try wire(notes)
        try wire.settings([(4, 10)])
        try connect(wire, stream: 1)
        _ = try wire.frames()
        try wire.data("more than ten bytes", stream: 1)
        let first = try wire.summary()
        try wire.windowUpdate(100, stream: 1)
        let second = try wire.summary()
        #expect(first == ["1 data more than "])
        #expect(second == ["1 data ten bytes"])
        // The windows of what was read are opened again.
        for _ in 0..<20 { try wire.send(wire.frame(0, stream: 1, Array(repeating: 1, count: 16_000))) }
        let credits = try wire.frames().filter { $0.type == 8 && $0.stream == 1 }
        #expect(!credits.isEmpty)
    }

    @Test("the drain tells the channel; at its deadline the channel is closed")
    func drain() throws {
        let notes = Notes()
        let wire = try wire(notes)
        try connect(wire, stream: 1)
        wire.loop.drain(deadline: wire.loop.now.advanced(by: .seconds(5)))
        wire.run()
        #expect(notes.all == ["active", "quiesce"])
    }

    @Test("another request than an extended CONNECT changes no protocol")
    func plain() throws {
        let notes = Notes()
        let wire = try wire(notes)
        try wire.get(stream: 1)
        let summary = try wire.summary()
        #expect(summary.first?.contains(":status: 400") == true)
        #expect(notes.all.isEmpty)
    }

    @Test("a WebSocket over a stream: the same endpoint, with its messages and its close handshake")
    func webSocket() throws {
        let routes = Routes()
        routes.routes.webSocket("/ws") { socket in
            for try await message in socket.messages { try await socket.send(message) }
        }
        let router = try routes.routes.table.router()
        let wire = try HTTP2Wire { request in try await router.handler(for: request)(request) }
        var head = HTTP2Wire.head("CONNECT", "/ws", [("sec-websocket-version", "13")])
        head.insert((":protocol", "websocket"), at: 1)
        try wire.send(wire.frame(1, 4, stream: 1, HTTP2Wire.block(head)))
        let opened = try wire.summary()
        // "hi", masked by zeros, and a close frame with 1000.
        try wire.send(wire.frame(0, stream: 1, hex("8182 00000000 6869")))
        let echoed = try wire.frames()
        try wire.send(wire.frame(0, stream: 1, hex("8882 00000000 03e8")))
        let closed = try wire.frames()
        try wire.data("", stream: 1, end: true)
        #expect(opened == ["1 :status: 200"])
        #expect(echoed.map(\.payload) == [hex("8102 6869")])
        #expect(closed.first?.payload == hex("8802 03e8"))
        #expect(closed.last?.isEndStream == true)
        #expect(wire.connection.streams.isEmpty)
    }
}
