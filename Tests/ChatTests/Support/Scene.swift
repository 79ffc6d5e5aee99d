import Foundation
import Synchronization

/// The paths of the package and its products.
enum Place {
    /// The folder of Package.swift, which also contains Public and Templates.
    static let root = {
        var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder
    }()

    /// The program `Chat`, which is built in the same folder as the tests.
    static func chat() throws -> URL {
        let tests = URL(fileURLWithPath: CommandLine.arguments.first ?? "").resolvingSymlinksInPath()
        var folder = (Bundle.main.executableURL ?? tests).deletingLastPathComponent()
        for _ in 0..<5 {
            let program = folder.appendingPathComponent("Chat")
            if FileManager.default.isExecutableFile(atPath: program.path) { return program }
            folder = folder.deletingLastPathComponent()
        }
        throw MissingProgram(
            description: "The program Chat is not in the tests' folder; “swift build” builds it.")
    }
}

/// A program that a test needs is missing.
struct MissingProgram: Error, CustomStringConvertible {
    let description: String
}

/// The programs and the folder of one test. When the test ends, for any reason, the programs are stopped and the folder is
/// removed.
final class Scene: Sendable {
    /// An empty folder for this test alone.
    let folder: URL
    private let guardian: Guardian
    private let programs = Mutex<[Program]>([])

    private init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("chat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        guardian = try Guardian(folder: folder)
    }

    /// Runs `body` with a new scene.
    static func run(_ body: (Scene) async throws -> Void) async throws {
        let scene = try Scene()
        do {
            try await body(scene)
        } catch {
            await scene.end()
            throw error
        }
        await scene.end()
    }

    private func end() async {
        for program in programs.withLock({ $0 }).reversed() { await program.stop() }
        guardian.standDown()
    }

    /// Starts a program.
    func start(_ executable: URL, _ arguments: [String], environment: [String: String] = [:]) throws
        -> Program
    {
        let program = try Program(executable, arguments, environment: environment)
        guardian.watch(program.id)
        programs.withLock { $0.append(program) }
        return program
    }

    /// Starts the chat's server on the scene's database and waits until it listens.
    ///
    /// - Parameter port: the port, or 0 for a free one.
    func server(port: Int = 0) async throws -> ServerProgram {
        let program = try start(
            Place.chat(),
            [
                // With hundreds of other tests running, a client may be slow to send its request after connecting.
                "--header-timeout", "\(patience.components.seconds)", "--port", "\(port)", "--host",
                "127.0.0.1", "--root", Place.root.path, "--database",
                folder.appendingPathComponent("chat.sqlite").path,
            ])
        let line = try await program.line(with: "listening on http://")
        guard let port = line.split(separator: ":").last.flatMap({ Int($0) }) else {
            throw ProgramEnded(name: program.name, wanted: "a port", printed: program.printed)
        }
        return ServerProgram(program: program, port: port)
    }

    /// Starts `Chat join` in the room.
    func terminal(_ name: String, at server: ServerProgram, room: String = "lobby") throws -> Program {
        try start(Place.chat(), ["join", server.room(room), "--name", name])
    }
}

/// A running chat server.
struct ServerProgram: Sendable {
    let program: Program
    let port: Int

    /// The address of the page.
    var page: String { "http://127.0.0.1:\(port)/" }
    /// The address of a room's socket.
    func room(_ name: String = "lobby") -> String { "ws://127.0.0.1:\(port)/rooms/\(name)" }
    /// Stops the server with SIGTERM.
    func stop() async { await program.stop() }
}
