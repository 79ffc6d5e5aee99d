import ArgumentParser
import WSKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `Chat join ws://localhost:8080/rooms/lobby --name ann`
struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Join a room from the terminal.",
        discussion:
            "Each line is sent to the room. /who lists the people, /quit (or the end of the input) leaves.")

    @Argument(help: "The room's address, such as ws://localhost:8080/rooms/lobby.")
    var address: String

    @Option(name: .shortAndLong, help: "Your name in the room.")
    var name: String

    @Option(help: "A PEM file with a certificate authority that is trusted too, for wss://.")
    var authority: String?

    func validate() throws {
        do throws(ChatError) {
            _ = try PersonName(name)
        } catch {
            throw ValidationError(error.text)
        }
        do throws(WebSocketAddressError) {
            _ = try WebSocketAddress(address)
        } catch {
            throw ValidationError("\(error).")
        }
    }

    func run() async throws {
        let isTerminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0
        let chat = TerminalChat(name: name, echoes: isTerminal) { StandardOutput.show($0) }
        let reader = Task { await read(into: chat) }
        let talker = Task { await talk(in: chat) }
        let end = await chat.ended()
        reader.cancel()
        talker.cancel()
        await talker.value
        if case .refused(let reason) = end {
            StandardOutput.show(TerminalText.notice(reason))
            throw ExitCode.failure
        }
    }

    private func read(into chat: TerminalChat) async {
        let input = StandardInput()
        while !Task.isCancelled, let line = await input.next() {
            await chat.typed(line)
        }
        await chat.inputOver()
    }

    /// Keeps the connection open until the chat ends.
    private func talk(in chat: TerminalChat) async {
        var policy = ReconnectPolicy()
        policy.initialDelay = .milliseconds(500)
        var options = WebSocketClientOptions()
        ChatExtensions.current.secure(&options, authority)
        do {
            try await WebSocketClient.keepConnected(
                to: address, options, reconnect: policy, onEvent: { await tell($0, to: chat) }
            ) { socket in
                await chat.opened { try await socket.send($0) }
                for try await text in socket.texts { await chat.received(text) }
            }
            await chat.refused("The server has closed the room.")
        } catch is CancellationError {
            // The chat has ended.
        } catch {
            await chat.refused(ConnectionLoss(error, address: address).description)
        }
    }

    private func tell(_ event: KeepConnectedEvent, to chat: TerminalChat) async {
        let loss: (error: any Error, pause: Duration)
        switch event {
        case .failed(let error, let pause?): loss = (error, pause)
        case .disconnected(let reason, let pause?): loss = (WebSocketClosed(reason: reason), pause)
        default: return
        }
        guard await chat.lost() else { return }
        let seconds = max(1, loss.pause.components.seconds)
        StandardOutput.show(
            TerminalText.notice(
                "\(ConnectionLoss(loss.error, address: address)); connecting again in \(seconds) s"))
    }
}
