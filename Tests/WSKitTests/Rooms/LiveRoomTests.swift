import HTTPKit
import NIOCore
import Synchronization
import Testing

@testable import WSKit

@Suite("Rooms over two event loops and real sockets", .timeLimit(.minutes(3)))
struct LiveRoomTests {
    /// What one member has received, by publisher.
    private struct Heard {
        private(set) var numbers: [String: [Int]] = [:]

        /// Records `publisher:number`.
        mutating func note(_ text: String) {
            let parts = text.split(separator: ":")
            guard parts.count == 2, let number = Int(parts[1]) else { return }
            numbers[String(parts[0]), default: []].append(number)
        }

        /// Whether the last message of each of `publishers` has arrived.
        func isComplete(_ publishers: Set<String>, last: Int) -> Bool {
            publishers.allSatisfy { numbers[$0]?.last == last }
        }
    }

    /// The event loops of the sockets.
    private final class Loops: Sendable {
        private let seen = Mutex<Set<ObjectIdentifier>>([])
        func note(_ socket: WebSocket) { _ = seen.withLock { $0.insert(ObjectIdentifier(socket.eventLoop)) } }
        var count: Int { seen.withLock { $0.count } }
    }

    private static func connect(_ server: LiveServer, then ready: String) async throws -> WebSocket {
        let socket = try await WebSocketClient.connect(to: server.address())
        #expect(try await socket.texts.first { _ in true } == ready)
        return socket
    }

    @Test(
        "members on both loops and a task outside publish at once: each member gets every message once, in order",
        arguments: [true, false])
    func allToAll(_ hearsItself: Bool) async throws {
        let (members, messages) = (5, 400)
        let rooms = Rooms()
        let loops = Loops()
        try await LiveServer.run(rooms: rooms) { socket in
            loops.note(socket)
            try await rooms["x"].join(socket) { room in
                try await socket.send("joined")
                for try await text in socket.texts { room.publish(text, except: hearsItself ? nil : socket) }
            }
        } test: { server in
            var sockets: [WebSocket] = []
            for _ in 0..<members { sockets.append(try await Self.connect(server, then: "joined")) }
            #expect(loops.count == 2 && rooms["x"].count == members)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (name, socket) in sockets.enumerated() {
                    var publishers = Set((0..<members).map(String.init) + ["task"])
                    if !hearsItself { publishers.remove("\(name)") }
                    group.addTask {
                        for number in 0..<messages { try await socket.send("\(name):\(number)") }
                    }
                    group.addTask { [publishers] in
                        var heard = Heard()
                        for try await text in socket.texts {
                            heard.note(text)
                            if heard.isComplete(publishers, last: messages - 1) { break }
                        }
                        #expect(Set(heard.numbers.keys) == publishers)
                        #expect(heard.numbers.values.allSatisfy { $0 == Array(0..<messages) })
                    }
                }
                group.addTask {
                    for number in 0..<messages { rooms.publish(Message(text: "task:\(number)"), to: "x") }
                }
                try await group.waitForAll()
            }
            for socket in sockets { await socket.close() }
        }
        #expect(rooms.names.isEmpty)
    }

    @Test(
        "A member that was added or joined from another thread gets the next published message, on any loop")
    func addedFromElsewhere() async throws {
        let rooms = Rooms()
        let (sockets, opened) = AsyncStream.makeStream(of: WebSocket.self)
        try await LiveServer.run(rooms: rooms) { socket in
            opened.yield(socket)
            for try await _ in socket.messages {}
        } test: { server in
            let client = try await WebSocketClient.connect(to: server.address())
            var iterator = sockets.makeAsyncIterator()
            let socket = try #require(await iterator.next())
            var texts = client.texts.makeAsyncIterator()
            /// Publishes on the socket's own loop, without a queue before the members.
            func publish(_ text: String) async throws {
                try await socket.eventLoop.submit { rooms.publish(Message(text: text), to: "x") }.get()
            }
            for round in 0..<200 {
                await rooms["x"].add(socket)
                await rooms["x"].add(socket)
                try await publish("added \(round)")
                #expect(try await texts.next() == "added \(round)")
                await rooms["x"].remove(socket)
                try await publish("unheard")
                try await rooms["x"].join(socket) { _ in try await publish("joined \(round)") }
                #expect(try await texts.next() == "joined \(round)")
            }
            await rooms["x"].add(socket)
            await client.close()
            try await waitUntil { rooms.names.isEmpty }
        }
    }

    /// How a member leaves the room.
    private enum Leaving: CaseIterable {
        /// It unsubscribes and stays connected.
        case unsubscribes
        /// It closes regularly.
        case closes
        /// Its transport ends without a close frame.
        case vanishes
    }

    /// The server's side: a member that leaves as its request says.
    @Sendable private static func comeAndGo(_ socket: WebSocket) async throws {
        try await socket.send("ready")
        for try await text in socket.texts {
            if text == "join" {
                await socket.subscribe("x")
                try await socket.send("joined")
            } else {
                socket.unsubscribe("x")
                try await socket.send("left")
            }
        }
    }

    /// Joins, receives a few messages, and leaves. The messages have no gaps and end with the membership.
    private static func visit(_ server: LiveServer, _ leaving: Leaving) async throws {
        let socket = try await Self.connect(server, then: "ready")
        var texts = socket.texts.makeAsyncIterator()
        for _ in 0..<2 {
            try await socket.send("join")
            #expect(try await texts.next() == "joined")
            var heard: [Int] = []
            while heard.count < 3, let text = try await texts.next() { heard.append(try #require(Int(text))) }
            if leaving == .unsubscribes {
                try await socket.send("leave")
                while let text = try await texts.next(), text != "left" {
                    heard.append(try #require(Int(text)))
                }
            }
            let first = try #require(heard.first)
            #expect(heard == Array(first..<(first + heard.count)))
            switch leaving {
            case .unsubscribes: continue
            case .closes: return await socket.close()
            case .vanishes:
                return socket.connection.onLoop { $0.transport.close() }
            }
        }
        await socket.close()
    }

    /// Many visits at the same time, of every kind.
    private static func visits(_ server: LiveServer) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for visitor in 0..<6 {
                group.addTask {
                    for round in 0..<15 {
                        try await visit(server, Leaving.allCases[(visitor + round) % 3])
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private final class Flag: Sendable {
        private let value = Atomic(false)
        var isSet: Bool { value.load(ordering: .relaxed) }
        func set() { value.store(true, ordering: .relaxed) }
    }

    @Test(
        "members that stay get every message once, in order, while others join, leave, close and disconnect")
    func comingAndGoing() async throws {
        let rooms = Rooms()
        try await LiveServer.run(rooms: rooms, socket: Self.comeAndGo) { server in
            let steady = try await Self.connect(server, then: "ready")
            let (progress, told) = AsyncStream.makeStream(of: Int.self)
            let isOver = Flag()
            try await steady.send("join")
            #expect(try await steady.texts.first { _ in true } == "joined")
            try await withThrowingTaskGroup(of: Void.self) { group in
                // The publisher is at most a few messages ahead, so that no buffer is full.
                group.addTask {
                    var number = 0
                    var heard = -1
                    var progress = progress.makeAsyncIterator()
                    while !isOver.isSet, !Task.isCancelled {
                        rooms.publish(Message(text: "\(number)"), to: "x")
                        number += 1
                        while heard < number - 50, let next = await progress.next() { heard = next }
                    }
                    rooms.publish(Message(text: "end"), to: "x")
                }
                group.addTask {
                    var expected = 0
                    for try await text in steady.texts {
                        if text == "end" { break }
                        #expect(text == "\(expected)")
                        told.yield(expected)
                        expected += 1
                    }
                    told.finish()
                }
                try await Self.visits(server)
                isOver.set()
                try await group.waitForAll()
            }
            #expect(rooms.names == ["x"])
            await steady.close()
        }
        #expect(rooms.names.isEmpty && rooms["x"].count == 0)
    }
}
