import ArgumentParser
import FoundationEssentials
import Logging
import OnePort

/// `Chat --port 8080`: the settings of every OnePort application and the chat's own.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the page and its WebSocket; serve --help lists the settings.")

    /// All arguments after the command. OnePort parses them, together with the environment variables.
    @Argument(parsing: .captureForPassthrough, help: .hidden)
    var settings: [String] = []

    /// The chat's own settings.
    static let own = [
        Setting(
            "database", .text("a file"), environment: ["CHAT_DATABASE"], default: "chat.sqlite",
            help: "the SQLite file for the messages; created if it is missing")
    ]

    /// The text that lists all settings.
    static var help: String {
        do throws(ConfigurationError) {
            _ = try AppConfiguration.parse(arguments: ["Chat", "--help"], environment: [:], extra: own)
            return ""
        } catch .helpRequested(let text) {
            return text
        } catch {
            return error.description
        }
    }

    func run() async throws {
        let configuration: AppConfiguration
        do throws(ConfigurationError) {
            configuration = try AppConfiguration.parse(
                arguments: ["Chat"] + settings, environment: ProcessInfo.processInfo.environment,
                extra: Self.own)
        } catch .helpRequested(let text) {
            return print(text)
        } catch {
            throw ValidationError("\(error)")
        }
        for folder in ["Public", "Templates"] {
            try StartError.check(folder: configuration.path(of: folder))
        }
        let app = App(configuration: configuration)
        ChatExtensions.current.configure(app)
        let limits = ChatLimits()
        let history = try Self.history(at: configuration["database"] ?? "chat.sqlite")
        ChatServer.declare(on: app, history: history, limits: limits)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await Self.sweepPeriodically(history, limits, app.logger) }
            defer { group.cancelAll() }
            try await app.run()
        }
    }

    /// Deletes expired messages, including those in idle rooms, until the task is cancelled.
    private static func sweepPeriodically(_ history: History, _ limits: ChatLimits, _ logger: Logger) async {
        while !Task.isCancelled {
            do {
                while try await history.sweep(at: History.now()), !Task.isCancelled {}
            } catch {
                logger.warning("old messages could not be deleted", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: limits.sweepInterval)
        }
    }

    private static func history(at path: String) throws(StartError) -> History {
        do {
            return try History(path: path)
        } catch {
            throw .database(path: StartError.absolute(path), reason: "\(error)")
        }
    }
}

/// Why the chat cannot start.
enum StartError: Error, CustomStringConvertible {
    /// There is no folder at this absolute path.
    case folder(path: String)
    /// The file at this absolute path cannot be opened or is not a database.
    case database(path: String, reason: String)

    /// What is missing, the path, and the setting that changes it.
    var description: String {
        switch self {
        case .folder(let path):
            "There is no folder \(path); --root names the folder that holds Public and Templates."
        case .database(let path, let reason): "The database \(path) cannot be opened: \(reason)"
        }
    }

    static func check(folder: String) throws(StartError) {
        var isFolder = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder else {
            throw .folder(path: absolute(folder))
        }
    }

    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
