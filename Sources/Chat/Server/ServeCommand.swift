import ArgumentParser
import FoundationEssentials
import OnePort

/// `Chat serve --port 8080`: the settings of every OnePort application, and the chat's own.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the page and its socket; serve --help lists the settings.")

    /// Everything behind the command: the application's own parser knows these, with their environment variables.
    @Argument(parsing: .captureForPassthrough, help: .hidden)
    var settings: [String] = []

    /// What the chat adds to the settings of every application.
    static let own = [
        Setting(
            "database", .text("a file"), environment: ["CHAT_DATABASE"], default: "chat.sqlite",
            help: "the SQLite file of all messages; made when missing")
    ]

    func run() async throws {
        let configuration: AppConfiguration
        do throws(ConfigurationError) {
            configuration = try AppConfiguration.parse(
                arguments: ["Chat serve"] + settings, environment: ProcessInfo.processInfo.environment,
                extra: Self.own)
        } catch .helpRequested(let text) {
            return print(text)
        } catch {
            throw ValidationError("\(error)")
        }
        let app = App(configuration: configuration)
        ChatServer.declare(on: app, history: try Self.history(at: configuration["database"] ?? "chat.sqlite"))
        try await app.run()
    }

    private static func history(at path: String) throws -> History {
        do {
            return try History(path: path)
        } catch {
            throw ValidationError("The database \(path) cannot be opened: \(error)")
        }
    }
}
