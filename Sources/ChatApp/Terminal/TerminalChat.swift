import FoundationEssentials

/// The state of the chat in a terminal: it decides what to print and what to send. It uses neither the terminal nor the
/// socket itself.
///
/// It sends one message at a time, and the next one after the server has stored it. So piped input keeps its order, and
/// after a lost connection the unconfirmed message is sent again with the same `ref`.
actor TerminalChat {
    /// Sends a text message over the current connection.
    typealias Send = @Sendable (String) async throws -> Void

    /// Why the program ends.
    enum End: Sendable, Equatable {
        /// The user quit, or the input ended and everything has been sent.
        case finished
        /// The server rejected the client, or cannot be reached.
        case refused(String)
    }

    private struct Unsent {
        let ref: String
        let text: String
    }

    /// How many unsent lines may be buffered before ``typed(_:)`` makes the reader wait.
    private static let maxUnsent = 50

    /// How many people of a room are remembered. A server may send any number.
    private static let maxPeople = 10_000
    /// How many bytes of messages may arrive between the join and its welcome.
    private static let maxEarlyBytes = 1 << 20

    private let print: @Sendable (String) -> Void
    /// Whether the terminal echoes what the user types, so that the user's own messages are not printed again.
    private let echoes: Bool
    private let name: String
    private var token: String?
    /// The highest id that was printed, or `nil` before the first welcome.
    private var seen: Int64?
    private var people: [String] = []
    private var unsent: [Unsent] = []
    private var send: Send?
    private var isInside = false
    /// Messages that arrived between the join and its welcome.
    private var early: [ChatMessage] = []
    private var earlySize = 0
    /// Sends the first unsent message again, or joins again, after a `too_fast` error.
    private var retry: Task<Void, Never>?
    private var isInputOver = false
    private var readers: [CheckedContinuation<Void, Never>] = []
    private var watchers: [CheckedContinuation<End, Never>] = []
    /// Why the chat ended. It is set once, and nothing happens afterwards.
    private(set) var end: End?

    init(name: String, echoes: Bool, print: @escaping @Sendable (String) -> Void) {
        self.name = name
        self.echoes = echoes
        self.print = print
    }

    /// Waits until the chat ends.
    func ended() async -> End {
        if let end { return end }
        return await withCheckedContinuation { watchers.append($0) }
    }

    /// Joins the room over a new connection, with the token and the last id of earlier connections.
    func opened(_ send: @escaping Send) async {
        self.send = send
        (early, earlySize) = ([], 0)
        await join()
    }

    private func join() async {
        await transmit(.join(.init(name: name, after: seen, token: token)))
    }

    /// Handles a lost connection.
    ///
    /// - Returns: whether to connect again.
    func lost() -> Bool {
        send = nil
        isInside = false
        (early, earlySize) = ([], 0)
        // After the end of the input, the program does not wait for another connection.
        if isInputOver, end == nil { finish(.refused("The connection was lost before everything was sent.")) }
        return end == nil
    }

    /// Ends the chat because no connection is possible.
    func refused(_ reason: String) { finish(.refused(reason)) }

    /// Handles a line of input.
    func typed(_ line: String) async {
        switch line.split(separator: " ").first {
        case "/quit": finish(.finished)
        case "/who" where isInside: print(TerminalText.people(people))
        case "/who": print(TerminalText.notice("not connected to the room"))
        case "/help": print(TerminalText.notice("/who lists the people here, /quit leaves"))
        case .some(let word) where word.hasPrefix("/") && !word.hasPrefix("//"):
            print(TerminalText.notice("Unknown command \(word); /help lists the commands."))
        case nil: break
        case .some:
            // Two slashes send a line that starts with one.
            let text = line.hasPrefix("//") ? String(line.dropFirst()) : line
            unsent.append(Unsent(ref: UUID().uuidString, text: text))
            if unsent.count == 1 { await sendFirst() }
            while unsent.count >= Self.maxUnsent, end == nil {
                await withCheckedContinuation { readers.append($0) }
            }
        }
    }

    /// Handles the end of the input: the chat ends when everything has been sent.
    func inputOver() {
        isInputOver = true
        if unsent.isEmpty { finish(.finished) }
    }

    /// Handles a text message from the server.
    func received(_ json: String) async {
        guard end == nil else { return }
        guard let message = try? ServerMessage(json: json) else {
            print(TerminalText.notice("The server sent an unknown message."))
            return
        }
        switch message {
        case .welcome(let welcome): await received(welcome)
        case .said(let said) where isInside: await received(said)
        case .said(let said): keep(said)
        case .joined(let name):
            if people.count < Self.maxPeople { people.append(Self.cut(name)) }
            print(TerminalText.notice("\(name) joined"))
        case .left(let name):
            people.removeAll { [name = Self.cut(name)] in $0 == name }
            print(TerminalText.notice("\(name) left"))
        case .error(let error): await received(error)
        case .typing, .pong: break
        }
    }

    /// A name, cut to the length that is shown.
    private static func cut(_ name: String) -> String { TerminalText.cut(name, TerminalText.maxNameLength) }

    /// Keeps a message that arrived before the welcome, because only the welcome tells whether it is new.
    private func keep(_ message: ChatMessage) {
        // The 256 bytes are for the message itself, so that empty messages count too.
        earlySize += message.text.utf8.count + message.name.utf8.count + 256
        guard earlySize <= Self.maxEarlyBytes else {
            return finish(.refused("The server sends messages but no welcome."))
        }
        early.append(message)
    }

    private func received(_ welcome: ServerMessage.Welcome) async {
        let isFirst = seen == nil
        isInside = true
        token = welcome.token
        people = welcome.here.prefix(Self.maxPeople).map(Self.cut)
        if welcome.history == .gap { print(TerminalText.notice("some older messages are left out here")) }
        if welcome.history == .recent { seen = 0 }
        for message in welcome.messages { await received(message) }
        if isFirst {
            print(
                TerminalText.notice("You are \(welcome.name) in #\(welcome.room). /help lists the commands."))
            print(TerminalText.people(people))
        } else {
            print(TerminalText.notice("connected again"))
        }
        let waiting = early
        (early, earlySize) = ([], 0)
        for message in waiting { await received(message) }
        await sendFirst()
    }

    private func received(_ message: ChatMessage) async {
        let isOurs = message.ref != nil && message.ref == unsent.first?.ref
        if message.id > seen ?? 0 {
            seen = message.id
            if !(isOurs && echoes) { print(TerminalText.line(for: message)) }
        }
        if isOurs { await completeFirst() }
    }

    private func received(_ error: ChatError) async {
        if error.code == .tooFast, !isInside {
            tryAgain(after: .seconds(1)) { await $0.join() }
        } else if error.code == .tooFast, error.ref != nil, error.ref == unsent.first?.ref {
            tryAgain(after: .milliseconds(300)) { await $0.sendFirst() }
        } else if error.ref != nil, error.ref == unsent.first?.ref {
            print(TerminalText.notice("not sent: \(error.text)"))
            await completeFirst()
        } else if error.code == .replaced || !isInside {
            finish(.refused(error.text))
        } else {
            print(TerminalText.notice(error.text))
        }
    }

    /// Runs an action after a pause, unless a retry is already scheduled. So repeated errors cause only one retry.
    private func tryAgain(after pause: Duration, _ act: @escaping @Sendable (TerminalChat) async -> Void) {
        guard retry == nil else { return }
        retry = Task {
            try? await Task.sleep(for: pause)
            retry = nil
            await act(self)
        }
    }

    private func completeFirst() async {
        unsent.removeFirst()
        if unsent.isEmpty, isInputOver { finish(.finished) }
        resumeReaders()
        await sendFirst()
    }

    private func sendFirst() async {
        guard isInside, end == nil, let first = unsent.first else { return }
        await transmit(.say(.init(text: first.text, ref: first.ref)))
    }

    private func transmit(_ message: ClientMessage) async {
        guard let send, let json = try? message.json() else { return }
        // After a failed send, the connection ends and `lost()` is called.
        try? await send(json)
    }

    private func finish(_ end: End) {
        guard self.end == nil else { return }
        self.end = end
        retry?.cancel()
        (early, earlySize) = ([], 0)
        for watcher in watchers { watcher.resume(returning: end) }
        watchers = []
        resumeReaders()
    }

    private func resumeReaders() {
        let waiting = readers
        readers = []
        for reader in waiting { reader.resume() }
    }
}
