import ArgumentParser

/// The chat: a server by default, a client with `join`.
@main
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Chat", abstract: "Rooms to talk in: one port serves the page and its socket.",
        subcommands: [ServeCommand.self, JoinCommand.self], defaultSubcommand: ServeCommand.self)
}
