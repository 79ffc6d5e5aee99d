import ChatApp

/// The chat without TLS.
@main
enum Chat {
    static func main() async { await ChatCommand.run() }
}
