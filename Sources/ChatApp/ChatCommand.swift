package import ArgumentParser

/// The chat: a server by default, a client with `join`.
package struct ChatCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "Chat", abstract: "Chat rooms: one port serves the page and its WebSocket.",
        usage: """
            Chat [--setting value] …
            Chat join <address> --name <name>
            """,
        subcommands: [ServeCommand.self, JoinCommand.self], defaultSubcommand: ServeCommand.self)

    package init() {}

    /// Runs the program with its arguments. `--help` shows the settings and the client on one page.
    package static func run(_ extensions: ChatExtensions = ChatExtensions()) async {
        switch Array(CommandLine.arguments.dropFirst()) {
        case ["--help"], ["-h"], ["help"]: print(help)
        default: await ChatExtensions.$current.withValue(extensions) { await main(nil) }
        }
    }

    /// The text of `Chat --help`.
    static var help: String {
        """
        \(configuration.abstract)

          Chat                                 serves the rooms, by default on http://localhost:8080
          Chat join <address> --name <name>    joins a room from the terminal; see join --help

        \(ServeCommand.help)
        """
    }
}
