import ChatApp
import OnePort
import OnePortTLS

/// The chat with TLS: `--tls-certificate` and `--tls-key` for the server, `wss://` for the client.
@main
enum ChatTLS {
    static func main() async {
        await ChatCommand.run(
            ChatExtensions(
                configure: { $0.tls() },
                secure: { options, authority in
                    options.tls = ClientTLS(trust: authority.map { .systemAnd(file: $0) } ?? .system)
                }))
    }
}
