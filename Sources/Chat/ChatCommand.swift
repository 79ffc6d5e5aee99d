import ArgumentParser

/// The chat: a server by default, a client with `join`.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Chat", abstract: "Chat rooms: one port serves the page and its WebSocket.",
        usage: """
            Chat [--setting value] …
            Chat join <address> --name <name>
            """,
        subcommands: [ServeCommand.self, JoinCommand.self], defaultSubcommand: ServeCommand.self)

    /// `--help` shows the settings and the client on one page.
    static func main() async {
        switch Array(CommandLine.arguments.dropFirst()) {
        case ["--help"], ["-h"], ["help"]: print(help)
        default: await main(nil)
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
