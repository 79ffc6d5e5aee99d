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
        commandName: "join", abstract: "Talk in a room from the terminal.",
        discussion:
            "Each line is said in the room. /who lists the people, /quit (or the end of the input) leaves.")

    @Argument(help: "The room's address, such as ws://localhost:8080/rooms/lobby.")
    var address: String

    @Option(name: .shortAndLong, help: "The name to be known by in the room.")
    var name: String

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

    /// Connects, again and again, until the chat has ended.
    private func talk(in chat: TerminalChat) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            let loss: ConnectionLoss
            do {
                let socket = try await WebSocketClient.connect(to: address)
                backoff.worked()
                try await withTaskCancellationHandler {
                    await chat.opened { try await socket.send($0) }
                    for try await text in socket.texts { await chat.received(text) }
                } onCancel: {
                    socket.beginClose()
                }
                await socket.close()
                loss = .ended
            } catch {
                loss = ConnectionLoss(error, address: address)
            }
            if case .refused(let reason) = loss { return await chat.refused(reason) }
            guard await chat.lost(), !Task.isCancelled else { return }
            let delay = backoff.failed(chance: .random(in: 0...1))
            let seconds = max(1, delay.components.seconds)
            StandardOutput.show(TerminalText.notice("\(loss); connecting again in \(seconds) s"))
            try? await Task.sleep(for: delay)
        }
    }
}
