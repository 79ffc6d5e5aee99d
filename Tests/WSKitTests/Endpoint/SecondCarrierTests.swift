import HTTPKit
import HTTPTypes
import NIOCore
import NIOEmbedded
import Testing

@testable import WSKit

/// A carrier in memory serves the same routes as an HTTP/1.1 connection.
@Suite("Exchanges of another carrier than HTTP/1.1")
struct SecondCarrierTests {
    private static func routes(_ journal: Journal = Journal()) -> Routes {
        let routes = Routes()
        routes.get("/hello/{name}") { request in
            .text("Hello, \(try request.parameters.require("name")), by \(request.version)")
        }
        routes.post("/echo") { request in
            .stream { writer in
                for try await part in request.body { try await writer.write(part) }
                try await writer.write("|")
                writer.setTrailers(try await request.body.trailers() ?? [:])
            }
        }
        routes.get("/wait") { request in
            request.onDisconnect { journal.note("gone") }
            do {
                try await Task.sleep(for: .seconds(3600))
            } catch {
                journal.note("cancelled")
                throw error
            }
            return .text("")
        }
        routes.get("/flood") { _ in
            .stream { writer in
                for number in 0..<3 { try await writer.write("\(number)") }
            }
        }
        routes.get("/chat") { _ in .text("a page") }
        routes.webSocket("/chat") { socket in
            for try await message in socket.messages { try await socket.send(message) }
        }
        return routes
    }

    @Test("a route, its parameters, and the content that HEAD leaves out")
    func plain() throws {
        let carrier = try MemoryCarrier(Self.routes())
        try carrier.request(.get, "/hello/you")
        #expect(carrier.sent.status == 200)
        #expect(carrier.sent.content == "Hello, you, by HTTP/2")
        #expect(carrier.sent.isComplete)
        try carrier.request(.head, "/hello/you")
        #expect(carrier.sent.content.isEmpty)
        #expect(carrier.sent.isComplete)
    }

    @Test("404, 405 and 501 as over HTTP/1.1")
    func unrouted() throws {
        let carrier = try MemoryCarrier(Self.routes())
        try carrier.request(.get, "/nothing")
        #expect(carrier.sent.status == 404)
        try carrier.request(.delete, "/echo")
        #expect(carrier.sent.status == 405)
        #expect(carrier.sent.fields[.allow] == "POST, OPTIONS")
        try carrier.request(.delete, "/chat")
        #expect(carrier.sent.fields[.allow] == "GET, HEAD, OPTIONS")
        try carrier.request(.connect, "/nothing", connectProtocol: "websocket")
        #expect(carrier.sent.status == 404)
        try carrier.request(.connect, "/hello/you", connectProtocol: "websocket")
        #expect(carrier.sent.status == 405)
        try carrier.request(.connect, "/chat", connectProtocol: "webtransport")
        #expect(carrier.sent.status == 501)
    }

    @Test("content goes both ways, piece by piece, with trailers")
    func streams() throws {
        let carrier = try MemoryCarrier(Self.routes())
        try carrier.request(.post, "/echo", hasContent: true)
        #expect(carrier.isContentWanted)
        #expect(carrier.sent.status == nil, "the head waits for the first write")
        carrier.push("one ")
        #expect(carrier.sent.status == 200)
        #expect(carrier.sent.content == "one ")
        carrier.push("two")
        #expect(carrier.sent.content == "one two")
        #expect(!carrier.sent.isComplete)
        carrier.endContent(trailers: [.init("x-sum")!: "7"])
        #expect(carrier.sent.content == "one two|")
        #expect(carrier.sent.trailers == [.init("x-sum")!: "7"])
        #expect(carrier.sent.isComplete)
    }

    @Test("a client that takes nothing makes the handler wait")
    func backpressure() throws {
        let carrier = try MemoryCarrier(Self.routes())
        carrier.isWritable = false
        try carrier.request(.get, "/flood")
        #expect(carrier.sent.content == "0")
        carrier.resumeTaking()
        #expect(carrier.sent.content == "012")
        #expect(carrier.sent.isComplete)
    }

    @Test("a client that is gone cancels the handler")
    func gone() throws {
        let journal = Journal()
        let carrier = try MemoryCarrier(Self.routes(journal))
        try carrier.request(.get, "/wait")
        #expect(journal.all.isEmpty)
        carrier.clientIsGone()
        #expect(Set(journal.all) == ["gone", "cancelled"])
        #expect(carrier.sent.status == nil)
    }

    @Test("RFC 8441: a WebSocket by an extended CONNECT, on the path of a page")
    func webSocket() throws {
        let carrier = try MemoryCarrier(Self.routes())
        try carrier.request(.get, "/chat")
        #expect(carrier.sent.content == "a page")
        try carrier.request(
            .connect, "/chat",
            fields: [
                .secWebSocketVersion: "13", .origin: "http://example.com",
                .secWebSocketExtensions: "permessage-deflate",
            ], connectProtocol: "websocket")
        #expect(carrier.isUpgraded)
        #expect(carrier.sent.status == 200)
        #expect(carrier.sent.fields[.secWebSocketExtensions]?.hasPrefix("permessage-deflate") == true)
        #expect(!carrier.sent.fields.contains(.upgrade))
        #expect(!carrier.sent.fields.contains(.connection))
        #expect(!carrier.sent.fields.contains(.secWebSocketAccept))

        try carrier.channel.writeInbound(ByteBuffer(bytes: frame(0x81, Array("hi".utf8), key: key)))
        carrier.settle()
        #expect(try carrier.wire.sent() == frame(0x81, Array("hi".utf8), key: nil))
        // The server closes the stream behind the close handshake.
        try carrier.channel.writeInbound(ByteBuffer(bytes: closeFrame(1000)))
        carrier.settle()
        #expect(try carrier.wire.sent() == closeFrame(1000, key: nil))
    }

    @Test(
        "RFC 8441: what an extended CONNECT must have",
        arguments: [
            ([.secWebSocketVersion: "12"], 426), ([:], 426),
            ([.secWebSocketVersion: "13", .origin: "http://elsewhere.com"], 403),
            ([.secWebSocketVersion: "13", .secWebSocketProtocol: "a, a"], 400),
        ] as [(HTTPFields, Int)])
    func rejected(_ fields: HTTPFields, _ status: Int) throws {
        let carrier = try MemoryCarrier(Self.routes())
        try carrier.request(.connect, "/chat", fields: fields, connectProtocol: "websocket")
        #expect(!carrier.isUpgraded)
        #expect(carrier.sent.status == status)
    }

    @Test("rooms mix sockets of all carriers of a loop")
    func rooms() throws {
        let rooms = Rooms()
        let routes = Routes()
        routes.webSocket("/room") { socket in
            try await rooms["lobby"].join(socket) { room in
                for try await message in socket.messages { room.publish(message) }
            }
        }
        var values = RequestValues()
        values[WebSocketDefaults.self] = WebSocketDefaults(rooms: rooms, logger: .silent)
        let first = try MemoryCarrier(routes, values: values)
        let second = try MemoryCarrier(routes, values: values, on: first)
        for carrier in [first, second] {
            try carrier.request(
                .connect, "/room", fields: [.secWebSocketVersion: "13"], connectProtocol: "websocket")
            #expect(carrier.isUpgraded)
        }
        try first.channel.writeInbound(ByteBuffer(bytes: frame(0x81, Array("all".utf8), key: key)))
        first.settle()
        #expect(try second.wire.sent() == frame(0x81, Array("all".utf8), key: nil))
    }
}
