import HTTPTypes
import NIOCore
import NIOPosix
import Testing

@testable import HTTPKit

@Suite("Routes that change the protocol")
struct UpgradeRoutesTests {
    private static let fields = "Host: h\r\nConnection: Upgrade\r\n"

    private func statusesOf(_ routes: Routes, _ requests: String...) throws -> [Int] {
        let router = try routes.routes.table.router()
        return try withWire { request in
            try await router.handler(for: request)(request)
        } test: { wire in
            requests.flatMap { statuses(wire.exchange($0)) }
        }
    }

    /// A server with an event loop of its own: the shared ones may be held by other tests.
    private static func server(_ routes: Routes) throws -> (HTTPServer, MultiThreadedEventLoopGroup) {
        var configuration = HTTPServer.Configuration()
        configuration.port = 0
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        return (try HTTPServer(configuration: configuration, group: group, routes: routes), group)
    }

    private func upgradeRoutes(_ names: String..., at path: String = "/a") -> Routes {
        let routes = Routes()
        for name in names {
            routes.upgrade(path, to: name) { request in
                guard request.asksForUpgrade(to: name) else { throw HTTPFailure(.upgradeRequired, name) }
                return .status(name == "x" ? .accepted : .created)
            }
        }
        return routes
    }

    @Test("the protocol that is asked for finds its route, and all else the page")
    func choice() throws {
        let routes = upgradeRoutes("x", "y")
        routes.get("/a") { _ in .text("page") }
        #expect(
            try statusesOf(
                routes, "GET /a HTTP/1.1\r\n\(Self.fields)Upgrade: x\r\n\r\n",
                "GET /a HTTP/1.1\r\n\(Self.fields)Upgrade: h2c, Y\r\n\r\n",
                "GET /a HTTP/1.1\r\n\(Self.fields)Upgrade: z\r\n\r\n",
                "GET /a HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\n\r\n",
                "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
                "HEAD /a HTTP/1.1\r\n\(Self.fields)Upgrade: x\r\n\r\n") == [202, 201, 200, 200, 200, 200])
    }

    @Test("without a page, the route says which protocol it wants")
    func alone() throws {
        #expect(
            try statusesOf(
                upgradeRoutes("x"), "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET /a HTTP/1.1\r\n\(Self.fields)Upgrade: x\r\n\r\n",
                "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
                "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n") == [426, 202, 405, 501])
    }

    @Test("each path has one page and one route for each protocol, with the same parameters")
    func conflicts() throws {
        #expect(throws: RouteConflict.self) { try upgradeRoutes("x", "x").routes.table.router() }
        let named = upgradeRoutes("x", at: "/{a}")
        named.get("/{b}") { _ in .text("") }
        #expect(throws: RouteConflict.self) { try named.routes.table.router() }
        let twice = upgradeRoutes("x")
        twice.get("/a") { _ in .text("") }
        twice.get("/a") { _ in .text("") }
        #expect(throws: RouteConflict.self) { try twice.routes.table.router() }
    }

    @Test("a page and an upgrade of one path have the middleware of their own groups")
    func middleware() throws {
        let routes = Routes()
        let refuse = Middleware { _, _ in .status(.forbidden) }
        routes.get("/a") { _ in .text("page") }
        routes.group("", refuse) { $0.upgrade("/a", to: "x") { _ in .status(.accepted) } }
        #expect(
            try statusesOf(
                routes, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET /a HTTP/1.1\r\n\(Self.fields)Upgrade: x\r\n\r\n") == [200, 403])
    }

    @Test("the error handlers of a request are those of the group whose route takes it")
    func errorHandlers() async throws {
        let routes = Routes()
        routes.group { page in
            page.onError { _ in .status(.notFound) }
            page.get("/a") { _ in throw HTTPFailure(.conflict) }
        }
        routes.group { sockets in
            sockets.onError { _ in .status(.badGateway) }
            sockets.upgrade("/a", to: "x") { _ in throw HTTPFailure(.conflict) }
        }
        let (server, group) = try Self.server(routes)
        let port = try #require(try await server.start().port)
        for (fields, status) in [("Host: h\r\n", 404), ("\(Self.fields)Upgrade: x\r\n", 502)] {
            let client = try await LiveClient(port: port)
            try await client.send("GET /a HTTP/1.1\r\n\(fields)\r\n")
            let text = String(decoding: try await client.receive(), as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 \(status) "))
        }
        await server.shutdown(within: .milliseconds(10))
        try await group.shutdownGracefully()
    }

    @Test("an application of HTTPKit alone takes a connection over")
    func server() async throws {
        let routes = Routes()
        routes.upgrade("/shout", to: "shout") { _ in
            .upgrade(fields: [.connection: "Upgrade", .upgrade: "shout"]) { upgraded in
                let channel = upgraded.channel
                try? channel.pipeline.syncOperations.addHandler(Shouting(upgraded.unread))
            }
        }
        let (server, group) = try Self.server(routes)
        let port = try #require(try await server.start().port)
        let client = try await LiveClient(port: port)
        try await client.send("GET /shout HTTP/1.1\r\n\(Self.fields)Upgrade: shout\r\n\r\nhello")
        var text = ""
        while !text.hasSuffix("HELLO") {
            let part = try await client.receive()
            if part.isEmpty { break }
            text += String(decoding: part, as: UTF8.self)
        }
        #expect(text.hasPrefix("HTTP/1.1 101 "))
        #expect(text.hasSuffix("HELLO"))
        await server.shutdown(within: .milliseconds(10))
        #expect(try await client.receive() == Array("BYE".utf8))
        #expect(try await client.receive().isEmpty)
        try await group.shutdownGracefully()
    }
}

/// Sends everything back in capitals.
private final class Shouting: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let unread: ByteBuffer

    init(_ unread: ByteBuffer) { self.unread = unread }

    func handlerAdded(context: ChannelHandlerContext) { shout(unread, context) }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { shout(unwrapInboundIn(data), context) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { shout(ByteBuffer(string: "bye"), context) }
    }

    private func shout(_ buffer: ByteBuffer, _ context: ChannelHandlerContext) {
        let text = String(buffer: buffer).uppercased()
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}
