import HTTPTypes
import Logging
import NIOCore
import NIOPosix
import OnePortTesting
import ServiceLifecycle
import Synchronization
import Testing

@testable import OnePort

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The events, in order.
private final class Record: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }

    /// Waits until `line` has been recorded.
    func wait(for line: String) async throws {
        let deadline = ContinuousClock.now.advanced(by: .seconds(60))
        while !all.contains(line) {
            try #require(ContinuousClock.now < deadline, "\(line) never came; \(all)")
            await Task.yield()
        }
    }
}

/// A service such as a database's connection pool.
private struct Pool: Service {
    let record: Record

    func run() async throws {
        record.add("pool runs")
        do {
            try await gracefulShutdown()
            record.add("pool was asked to stop")
        } catch {
            record.add("pool was cancelled")
        }
    }
}

@Suite("An application as a service among others", .timeLimit(.minutes(3)))
struct ServiceGroupTests {
    private func app(port: Int = 0, _ declare: (App) -> Void = { _ in }) -> App {
        var configuration = AppConfiguration()
        configuration.port = port
        configuration.threads = 1
        configuration.logLevel = .critical
        configuration.drain = .seconds(30)
        let app = App(configuration: configuration)
        declare(app)
        return app
    }

    private func group(_ services: [any Service]) -> ServiceGroup {
        ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
    }

    /// The address of a running application.
    private func address(of app: App) async throws -> SocketAddress {
        let deadline = ContinuousClock.now.advanced(by: .seconds(60))
        while true {
            if let address = app.addresses.first { return address }
            try #require(ContinuousClock.now < deadline, "it does not listen")
            await Task.yield()
        }
    }

    /// Sends a request and returns everything that the server sends.
    private func ask(_ address: SocketAddress, _ path: String) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(to: address) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(
                ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
            var all = ByteBuffer()
            for try await part in inbound { all.writeImmutableBuffer(part) }
            return String(buffer: all)
        }
    }

    @Test("if the port is in use, run() throws, and the group ends with the error")
    func portTaken() async throws {
        let other = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        let record = Record()
        let app = app(port: try #require(other.localAddress?.port))
        await #expect(throws: BindError.self) { try await group([Pool(record: record), app]).run() }
        #expect(record.all.last == "pool was cancelled" || record.all.isEmpty)
        try await other.close()
    }

    @Test("[pool, app]: requests in flight finish before the pool is asked to stop")
    func order() async throws {
        let record = Record()
        let app = app {
            $0.get("/") { _ in
                record.add("request begins")
                try await gracefulShutdown()
                record.add("request ends")
                return .text("done")
            }
        }
        let group = group([Pool(record: record), app])
        async let end: Void = group.run()
        let address = try await address(of: app)
        async let response = ask(address, "/")
        try await record.wait(for: "request begins")
        await group.triggerGracefulShutdown()
        #expect(try await response.hasSuffix("done"))
        try await end
        #expect(record.all == ["pool runs", "request begins", "request ends", "pool was asked to stop"])
        #expect(app.addresses.isEmpty)
    }

    @Test("[app, pool]: the application serves until the pool has stopped")
    func reverseOrder() async throws {
        struct SlowPool: Service {
            let record: Record
            let ask: @Sendable () async throws -> String
            func run() async throws {
                record.add("pool runs")
                try await gracefulShutdown()
                record.add(try await ask())
            }
        }
        let record = Record()
        let app = app { $0.get("/") { _ in .text("served") } }
        let pool = SlowPool(record: record) {
            let text = try await self.ask(try await self.address(of: app), "/")
            return text.hasSuffix("served") ? "served" : text
        }
        let group = group([app, pool])
        async let end: Void = group.run()
        _ = try await address(of: app)
        try await record.wait(for: "pool runs")
        await group.triggerGracefulShutdown()
        try await end
        #expect(record.all == ["pool runs", "served"])
    }

    @Test("signals are left to the group")
    func signals() async throws {
        func isDefault(_ signal: CInt) -> Bool {
            var action = sigaction()
            sigaction(signal, nil, &action)
            // The handler is the first field. SIG_DFL is null.
            return withUnsafeBytes(of: &action) { $0.load(as: UInt.self) } == 0
        }
        guard isDefault(SIGINT), isDefault(SIGTERM) else { return }
        let app = app()
        let group = group([app])
        async let end: Void = group.run()
        _ = try await address(of: app)
        #expect(isDefault(SIGINT) && isDefault(SIGTERM))
        await group.triggerGracefulShutdown()
        try await end
    }

    @Test("cancellation ends the application at once, whatever the drain time is")
    func cancellation() async throws {
        let record = Record()
        let app = app {
            $0.get("/") { _ in
                record.add("request begins")
                try await Task.sleep(for: .seconds(3600))
                return .text("late")
            }
        }
        let group = group([app])
        let run = Task { try await group.run() }
        let address = try await address(of: app)
        async let response = ask(address, "/")
        try await record.wait(for: "request begins")
        run.cancel()
        _ = try? await run.value
        #expect((try? await response) ?? "" == "")
    }

    @Test("handlers, streams and sockets take part in graceful shutdown")
    func handlers() async throws {
        let record = Record()
        let app = app { app in
            app.get("/cancel") { _ in
                record.add("/cancel begins")
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(3600)) }
                return .text("\(Task.isShuttingDownGracefully)")
            }
            app.get("/handler") { _ in
                let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
                return await withGracefulShutdownHandler {
                    record.add("/handler begins")
                    for await _ in stream {}
                    return .text("told")
                } onGracefulShutdown: {
                    continuation.finish()
                }
            }
            app.get("/stream") { _ in
                .stream { writer in
                    try await writer.write("a")
                    record.add("/stream begins")
                    try await gracefulShutdown()
                    try await writer.write("b")
                }
            }
            app.webSocket("/ws") { socket in
                record.add("/ws begins")
                try await gracefulShutdown()
                record.add("/ws is told")
            }
        }
        let group = group([app])
        async let end: Void = group.run()
        let address = try await address(of: app)
        async let cancelled = ask(address, "/cancel")
        async let told = ask(address, "/handler")
        async let streamed = ask(address, "/stream")
        let socket = try await WebSocketClient.connect(to: "ws://127.0.0.1:\(address.port ?? 0)/ws")
        for path in ["/cancel", "/handler", "/stream", "/ws"] { try await record.wait(for: path + " begins") }
        await group.triggerGracefulShutdown()
        #expect(try await cancelled.hasSuffix("true"))
        #expect(try await told.hasSuffix("told"))
        #expect(try await streamed.hasSuffix("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"))
        for try await _ in socket.messages {}
        try await end
        try await record.wait(for: "/ws is told")
    }

    @Test("a test's application shuts down its handlers the same way")
    func inTests() async throws {
        let record = Record()
        let app = app { app in
            app.webSocket("/ws") { _ in
                record.add("begins")
                try await gracefulShutdown()
                record.add("told")
            }
        }
        try await app.test { client in
            _ = try await client.webSocket("/ws")
            try await record.wait(for: "begins")
        }
        try await record.wait(for: "told")
    }
}
