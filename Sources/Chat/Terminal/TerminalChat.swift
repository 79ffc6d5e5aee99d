import FoundationEssentials

/// The chat in a terminal, without terminal and without socket: what to print and what to send, whatever order
/// typing, receiving and losing the connection come in.
///
/// One message is on its way at a time; the next follows when the server has stored it. So what is piped in
/// keeps its order, and after a lost connection the one that is uncertain is sent again under its `ref`.
actor TerminalChat {
    /// Sends one text message over the connection that is open now.
    typealias Send = @Sendable (String) async throws -> Void

    /// Why the program ends.
    enum End: Sendable, Equatable {
        /// The person wanted it, or the input is over and everything is sent.
        case finished
        /// The server will not have us.
        case refused(String)
    }

    private struct Unsent {
        let ref: String
        let text: String
    }

    /// So many lines may wait for the connection before ``typed(_:)`` makes the reader wait too.
    private static let mostUnsent = 50

    /// How many people of a room are kept in mind; a server may send any number.
    private static let mostPeople = 10_000
    /// How many bytes of text may come between our join and its welcome.
    private static let mostEarly = 1 << 20

    private let print: @Sendable (String) -> Void
    /// The terminal shows what is typed already; our own messages are then not printed again.
    private let echoes: Bool
    private let name: String
    private var token: String?
    /// The highest id that was printed; nil before the first welcome.
    private var seen: Int64?
    private var people: [String] = []
    private var unsent: [Unsent] = []
    private var send: Send?
    private var isInside = false
    /// Messages that came between our join and its welcome.
    private var early: [ChatMessage] = []
    private var earlySize = 0
    /// Sends the message that waits again, or joins again, after the server found us too fast.
    private var retry: Task<Void, Never>?
    private var isInputOver = false
    private var readers: [CheckedContinuation<Void, Never>] = []
    private var watchers: [CheckedContinuation<End, Never>] = []
    /// Set once; nothing happens afterwards.
    private(set) var end: End?

    init(name: String, echoes: Bool, print: @escaping @Sendable (String) -> Void) {
        self.name = name
        self.echoes = echoes
        self.print = print
    }

    /// Waits for the end.
    func ended() async -> End {
        if let end { return end }
        return await withCheckedContinuation { watchers.append($0) }
    }

    /// A connection is open: joins, with what is known from earlier ones.
    func opened(_ send: @escaping Send) async {
        self.send = send
        (early, earlySize) = ([], 0)
        await join()
    }

    private func join() async {
        await transmit(.join(.init(name: name, after: seen, token: token)))
    }

    /// The connection is gone. False where no other is to be tried.
    func lost() -> Bool {
        send = nil
        isInside = false
        (early, earlySize) = ([], 0)
        // With the input over there is nobody to wait with us.
        if isInputOver, end == nil { finish(.refused("The connection was lost before everything was sent.")) }
        return end == nil
    }

    /// There never will be a connection.
    func refused(_ reason: String) { finish(.refused(reason)) }

    /// Takes one line of input.
    func typed(_ line: String) async {
        switch line.split(separator: " ").first {
        case "/quit": finish(.finished)
        case "/who" where isInside: print(TerminalText.people(people))
        case "/who": print(TerminalText.notice("not in the room at the moment"))
        case "/help": print(TerminalText.notice("/who lists the people here, /quit leaves"))
        case .some(let word) where word.hasPrefix("/") && !word.hasPrefix("//"):
            print(TerminalText.notice("There is no command \(word); /help lists them."))
        case nil: break
        case .some:
            // Two slashes say a line that begins with one.
            let text = line.hasPrefix("//") ? String(line.dropFirst()) : line
            unsent.append(Unsent(ref: UUID().uuidString, text: text))
            if unsent.count == 1 { await sendFirst() }
            while unsent.count >= Self.mostUnsent, end == nil {
                await withCheckedContinuation { readers.append($0) }
            }
        }
    }

    /// Nothing more will be typed: ends when everything is sent.
    func inputOver() {
        isInputOver = true
        if unsent.isEmpty { finish(.finished) }
    }

    /// Takes one text message of the server.
    func received(_ json: String) async {
        guard end == nil else { return }
        guard let message = try? ServerMessage(json: json) else {
            print(TerminalText.notice("The server sent something this program does not know."))
            return
        }
        switch message {
        case .welcome(let welcome): await received(welcome)
        case .said(let said) where isInside: await received(said)
        case .said(let said): keep(said)
        case .joined(let name):
            if people.count < Self.mostPeople { people.append(Self.cut(name)) }
            print(TerminalText.notice("\(name) joined"))
        case .left(let name):
            people.removeAll { [name = Self.cut(name)] in $0 == name }
            print(TerminalText.notice("\(name) left"))
        case .error(let error): await received(error)
        case .typing, .pong: break
        }
    }

    /// A name as it is shown; what is longer is not kept.
    private static func cut(_ name: String) -> String { TerminalText.cut(name, TerminalText.mostOfName) }

    /// Keeps a message that came before the welcome, which says whether it is new.
    private func keep(_ message: ChatMessage) {
        // What an empty message takes counts too.
        earlySize += message.text.utf8.count + message.name.utf8.count + 256
        guard earlySize <= Self.mostEarly else {
            return finish(.refused("The server sends messages without letting us in."))
        }
        early.append(message)
    }

    private func received(_ welcome: ServerMessage.Welcome) async {
        let isFirst = seen == nil
        isInside = true
        token = welcome.token
        people = welcome.here.prefix(Self.mostPeople).map(Self.cut)
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
        if isOurs { await settleFirst() }
    }

    private func received(_ error: ChatError) async {
        if error.code == .tooFast, !isInside {
            tryAgain(after: .seconds(1)) { await $0.join() }
        } else if error.code == .tooFast, error.ref != nil, error.ref == unsent.first?.ref {
            tryAgain(after: .milliseconds(300)) { await $0.sendFirst() }
        } else if error.ref != nil, error.ref == unsent.first?.ref {
            print(TerminalText.notice("not sent: \(error.text)"))
            await settleFirst()
        } else if error.code == .replaced || !isInside {
            finish(.refused(error.text))
        } else {
            print(TerminalText.notice(error.text))
        }
    }

    /// Does it after a while, unless something waits already: however often the server complains, we ask once.
    private func tryAgain(after pause: Duration, _ act: @escaping @Sendable (TerminalChat) async -> Void) {
        guard retry == nil else { return }
        retry = Task {
            try? await Task.sleep(for: pause)
            retry = nil
            await act(self)
        }
    }

    private func settleFirst() async {
        unsent.removeFirst()
        if unsent.isEmpty, isInputOver { finish(.finished) }
        letReadersGoOn()
        await sendFirst()
    }

    private func sendFirst() async {
        guard isInside, end == nil, let first = unsent.first else { return }
        await transmit(.say(.init(text: first.text, ref: first.ref)))
    }

    private func transmit(_ message: ClientMessage) async {
        guard let send, let json = try? message.json() else { return }
        // A send that fails is followed by the end of the connection, which is told elsewhere.
        try? await send(json)
    }

    private func finish(_ end: End) {
        guard self.end == nil else { return }
        self.end = end
        retry?.cancel()
        (early, earlySize) = ([], 0)
        for watcher in watchers { watcher.resume(returning: end) }
        watchers = []
        letReadersGoOn()
    }

    private func letReadersGoOn() {
        let waiting = readers
        readers = []
        for reader in waiting { reader.resume() }
    }
}
