#if os(Linux)
    import HTTPKit
    import NIOCore
    import NIOPosix
    import Synchronization
    import Testing

    @testable import WSKit

    @Suite("A client whose task is cancelled leaves no connection open", .timeLimit(.minutes(3)))
    struct CancellationTests {
        /// Longer than any test, so the timeout is never the reason for an end.
        private static let options = WebSocketClientOptions { $0.connectTimeout = .seconds(3600) }

        /// A listener whose backlog is full, so that no connection can be established.
        private func full() throws -> (BareSocket, queue: [BareSocket]) {
            let listener = try BareSocket()
            try listener.listen(backlog: 0)
            return (listener, try (0..<8).map { _ in try .connecting(to: listener.port) })
        }

        @Test(
            "while TCP connects: the client ends at once, and so does the attempt", arguments: [true, false])
        func connecting(isEarly: Bool) async throws {
            let (listener, queue) = try full()
            let address = try WebSocketAddress("ws://127.0.0.1:\(listener.port)")
            let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            let task = Task { try await WebSocketClient(group: group).open(address, Self.options) }
            if !isEarly { try await waitUntil { descriptors(to: listener.port) == queue.count + 1 } }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            // Attempts that began before the cancellation reached the loop are complete once others have connected.
            try await LiveServer.run(socket: { _ in }) { server in
                for _ in 0..<5 {
                    let other = try WebSocketAddress(server.address())
                    await (try await WebSocketClient(group: group).open(other)).close()
                }
            }
            try await waitUntil { descriptors(to: listener.port) == queue.count }
            try await group.shutdownGracefully()
        }

        @Test("RFC 6455 §4.1: an attempt ends after the connect timeout")
        func connectTimeout() async throws {
            let (listener, queue) = try full()
            let error = await #expect(throws: WebSocketConnectError.self) {
                let options = WebSocketClientOptions { $0.connectTimeout = .milliseconds(50) }
                _ = try await WebSocketClient.connect(to: "ws://127.0.0.1:\(listener.port)", options)
            }
            #expect("\(try #require(error))".contains("127.0.0.1:\(listener.port)"))
            try await waitUntil { descriptors(to: listener.port) == queue.count }
        }

        @Test("while a server has accepted but does not respond to the handshake")
        func handshake() async throws {
            let listener = try BareSocket()
            try listener.listen(backlog: 8)
            let task = Task {
                try await WebSocketClient.withConnection(to: "ws://127.0.0.1:\(listener.port)", Self.options)
                { _ in }
            }
            let peer = try await listener.accept()
            #expect(try await peer.receiveHead()?.hasPrefix("GET / HTTP/1.1\r\n") == true)
            try await waitUntil { descriptors(to: listener.port) == 1 }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try await peer.receiveEnd()
            try await waitUntil { descriptors(to: listener.port) == 0 }
        }

        @Test("while it waits for a message: the server gets 1001")
        func receiving() async throws {
            let (ends, ended) = AsyncStream.makeStream(of: CloseReason?.self)
            try await LiveServer.run { socket in
                try await socket.send("hello")
                for try await _ in socket.messages {}
                ended.yield(await socket.closeReason)
            } test: { server in
                let (greetings, greeted) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    try await WebSocketClient.withConnection(to: server.address(), Self.options) { socket in
                        for try await _ in socket.texts { greeted.yield() }
                    }
                }
                for await _ in greetings { break }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                for await reason in ends {
                    #expect(reason?.code == .goingAway && reason?.isClean == true)
                    break
                }
                try await waitUntil { await server.http.statistics().connections == 0 }
                try await waitUntil { descriptors(to: server.port) == 0 }
            }
        }

        /// What a client is waiting for when its task is cancelled.
        enum Wait: CaseIterable, Sendable { case message, room, pong, closing }

        @Test("while it waits for a server that is silent after the handshake", arguments: Wait.allCases)
        func silent(_ wait: Wait) async throws {
            let listener = try BareSocket()
            try listener.listen(backlog: 8)
            let (sockets, opened) = AsyncStream.makeStream(of: WebSocket.self)
            var options = Self.options
            // A socket that is already closing must not finish before it is checked, however busy the machine is.
            options.limits.closeTimeout = wait == .closing ? .seconds(10) : .zero
            // Nothing else may end the connection.
            options.limits.pingInterval = nil
            options.limits.sendTimeout = .seconds(3600)
            let task = Task { [options] in
                try await WebSocketClient.withConnection(to: "ws://127.0.0.1:\(listener.port)", options) {
                    socket in
                    opened.yield(socket)
                    switch wait {
                    case .message: for try await _ in socket.messages {}
                    case .room: while true { try await socket.send(ByteBuffer(repeating: 0, count: 100_000)) }
                    case .pong: try await socket.ping()
                    case .closing:
                        socket.beginClose()
                        for try await _ in socket.messages {}
                    }
                }
            }
            let peer = try await listener.accept()
            let head = try #require(try await peer.receiveHead())
            let key = try #require(
                head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key") })
            peer.send(
                "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                    + AcceptKey.value(for: String(key.dropFirst("Sec-WebSocket-Key: ".count))) + "\r\n\r\n")
            var iterator = sockets.makeAsyncIterator()
            let socket = try #require(await iterator.next())
            try await waitUntil {
                await socket.connection.onLoopAsync { connection in
                    switch wait {
                    case .message, .closing: connection.input.inbox.isAwaited
                    case .room: connection.transport.hasWaitingWriters
                    case .pong: connection.rareState?.pings.isEmpty == false
                    }
                }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            try await peer.receiveEnd()
            try await waitUntil { descriptors(to: listener.port) == 0 }
        }
    }
#endif
