import Foundation
import NIOCore
import NIOPosix
import Testing
import WSKit

@testable import ChatApp

@Suite("Starting the chat")
struct StartTests {
    private func run(_ arguments: [String], in scene: Scene) async throws -> (status: Int32, printed: String)
    {
        let program = try scene.start(Place.chat(), arguments, environment: ["CHAT_DATABASE": ""])
        let status = try await program.ended()
        // The process and its output may end in any order.
        await program.outputEnded()
        return (status, program.printed.joined(separator: "\n"))
    }

    @Test(
        "If Public or Templates is missing, the error names the path",
        arguments: ["Public", "Templates"])
    func missingFolder(missing: String) async throws {
        try await Scene.run { scene in
            for folder in ["Public", "Templates"] where folder != missing {
                try FileManager.default.createDirectory(
                    at: scene.folder.appendingPathComponent(folder), withIntermediateDirectories: false)
            }
            let end = try await run(["--root", scene.folder.path, "--port", "0"], in: scene)
            #expect(end.status == 1)
            #expect(end.printed.contains("There is no folder \(scene.folder.path)/\(missing); --root names"))
        }
    }

    @Test("If the database cannot be opened, the error names the path")
    func badDatabase() async throws {
        try await Scene.run { scene in
            let path = scene.folder.appendingPathComponent("nowhere/chat.sqlite").path
            let end = try await run(
                ["--root", Place.root.path, "--port", "0", "--database", path], in: scene)
            #expect(end.status == 1)
            #expect(end.printed.contains("The database \(path) cannot be opened"))
        }
    }

    @Test(
        "An invalid command line prints the reason and exits with 64",
        arguments: [
            (["--prot", "1"], "did you mean --port?"), (["--port", "x"], "a whole number from 0 to 65535"),
            (["frobnicate"], "--help lists the settings"),
            (["join", "nonsense", "--name", "ann"], "does not begin with ws:// or wss://"),
            (["join", "ws://localhost:1/rooms/x", "--name", " "], "name"),
            (["join", "ws://localhost:1/rooms/x"], "--name <name>"),
        ])
    func wrongArguments(arguments: [String], told: String) async throws {
        try await Scene.run { scene in
            let end = try await run(arguments, in: scene)
            #expect(end.status == 64)
            #expect(end.printed.contains(told))
            #expect(end.printed.contains("Usage: Chat"))
        }
    }

    @Test("Help shows the settings and the client", arguments: ["--help", "-h", "help"])
    func help(argument: String) async throws {
        try await Scene.run { scene in
            let end = try await run([argument], in: scene)
            #expect(end.status == 0)
            for part in ["Chat join <address>", "--port <number>", "--database <file>", "--root <folder>"] {
                #expect(end.printed.contains(part), "\(part)")
            }
        }
    }

    @Test("SIGTERM ends the program with 0, even while people are in a room")
    func sigterm() async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let ann = try await Guest.join("ann", at: server)
            await server.stop()
            #expect(try await server.program.ended() == 0)
            await #expect(throws: ConnectionEnded.self) { _ = try await ann.next() }
            #expect(await ann.socket.closeReason?.code == .goingAway)
        }
    }

    @Test("A second signal ends it at once, though a request holds the drain", arguments: [SIGTERM, SIGINT])
    func secondSignal(signal: Int32) async throws {
        try await Scene.run { scene in
            let server = try await scene.server()
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(host: "127.0.0.1", port: server.port).get()
            try await channel.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\n")).get()
            // The server reads what was sent before it is asked to drain.
            try await channel.eventLoop.scheduleTask(in: .milliseconds(300)) {}.futureResult.get()
            kill(server.program.id, SIGTERM)
            _ = try await server.program.line(with: "draining")
            let start = ContinuousClock.now
            // One that comes before the program listens for it again is one that it has not seen.
            let asking = Task {
                while !Task.isCancelled {
                    kill(server.program.id, signal)
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            #expect([128 + signal, signal].contains(try await server.program.ended()))
            asking.cancel()
            #expect(ContinuousClock.now - start < .seconds(10))
            try? await channel.close()
        }
    }
}
