import ArgumentParser

/// The chat: a server by default, a client with `join`.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Chat", abstract: "Rooms to talk in: one port serves the page and its socket.",
        usage: """
            Chat [--setting value] …
            Chat join <address> --name <name>
            """,
        subcommands: [ServeCommand.self, JoinCommand.self], defaultSubcommand: ServeCommand.self)

    /// Asked for help, it shows the settings and the client at once: nobody looks for a second page.
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

          Chat                                 serves them, by default on http://localhost:8080
          Chat join <address> --name <name>    talks in one from the terminal; join --help says more

        \(ServeCommand.help)
        """
    }
}
