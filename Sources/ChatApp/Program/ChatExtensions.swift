package import OnePort
package import WSKit

/// What a program adds to the chat, such as TLS.
package struct ChatExtensions: Sendable {
    /// Changes the application before it runs.
    let configure: @Sendable (App) -> Void
    /// Changes the options of the client, which trusts the certificate authorities in a PEM file too, if one is given.
    let secure: @Sendable (_ options: inout WebSocketClientOptions, _ authority: String?) -> Void

    package init(
        configure: @escaping @Sendable (App) -> Void = { _ in },
        secure: @escaping @Sendable (inout WebSocketClientOptions, String?) -> Void = { _, _ in }
    ) {
        self.configure = configure
        self.secure = secure
    }

    /// Those of this program.
    @TaskLocal static var current = ChatExtensions()
}
