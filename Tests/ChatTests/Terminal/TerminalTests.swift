import Testing

@testable import ChatApp

/// Records the messages that were sent.
private actor Record {
    private(set) var sent: [ClientMessage] = []
    func send(_ json: String) throws { sent.append(try ClientMessage(json: json)) }
    func take() -> [ClientMessage] {
        defer { sent = [] }
        return sent
    }
}

private final class Screen: Sendable {
    private let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    func show(_ line: String) { continuation.yield(line) }

    /// Ends the screen and returns all lines.
    func lines() async -> [String] {
        continuation.finish()
        var lines: [String] = []
        for await line in stream { lines.append(line) }
        return lines
    }
}

@Suite("The terminal client")
struct TerminalTests {
    private let screen = Screen()
    private let record = Record()

    private func chat(echoes: Bool = false) -> TerminalChat {
        TerminalChat(name: "ann", echoes: echoes) { [screen] in screen.show($0) }
    }

    private func open(_ chat: TerminalChat) async {
        await chat.opened { [record] in try await record.send($0) }
    }

    private func welcome(
        _ history: ServerMessage.Welcome.HistoryKind = .recent, _ messages: [ChatMessage] = [],
        token: String = "t"
    ) throws -> String {
        try ServerMessage.welcome(
            .init(
                room: "lobby", name: "ann", token: token, here: ["bob", "ann"], history: history,
                messages: messages, limits: ChatLimits().advertised)
        ).json()
    }

    private func message(_ id: Int64, _ text: String, ref: String? = nil, by name: String = "bob")
        -> ChatMessage
    {
        ChatMessage(id: id, name: name, text: text, time: 0, ref: ref)
    }

    /// The ref of the only `say` sent since the last call.
    private func onlyRef(text: String) async throws -> String {
        let sent = await record.take()
        guard case .say(let say)? = sent.last, sent.count == 1, say.text == text else {
            throw ChatError(.failed, "sent: \(sent)")
        }
        return try #require(say.ref)
    }

    @Test("It joins, prints the history and sends one line after the other")
    func talk() async throws {
        let chat = chat()
        await open(chat)
        #expect(await record.take() == [.join(.init(name: "ann"))])
        await chat.typed("too early")
        #expect(await record.take() == [])
        await chat.received(try welcome(.recent, [message(4, "hi")]))
        let ref = try await onlyRef(text: "too early")
        await chat.typed("second")
        #expect(await record.take() == [])
        await chat.received(try ServerMessage.said(message(5, "too early", ref: ref, by: "ann")).json())
        _ = try await onlyRef(text: "second")
        let lines = await screen.lines()
        #expect(lines.first?.hasSuffix("bob: hi") == true)
        #expect(lines.contains("* 2 here: bob, ann"))
        #expect(lines.last?.hasSuffix("ann: too early") == true)
    }

    @Test(
        "After a lost connection, it joins with its token and sends the unconfirmed message again with the same ref"
    )
    func reconnect() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try welcome(.recent, [message(4, "hi")], token: "t1"))
        await chat.typed("uncertain")
        _ = await record.take().first
        let before = chat
        #expect(await before.lost())
        await open(chat)
        #expect(await record.take() == [.join(.init(name: "ann", after: 4, token: "t1"))])
        await chat.received(try welcome(.missed, []))
        let ref = try await onlyRef(text: "uncertain")
        // The message had been stored: the next history contains it, and it is not sent a third time.
        #expect(await chat.lost())
        await open(chat)
        _ = await record.take()
        await chat.received(try welcome(.missed, [message(5, "uncertain", ref: ref, by: "ann")]))
        #expect(await record.take() == [])
    }

    @Test("A message is printed once, even if it arrives both before the welcome and in it")
    func once() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try ServerMessage.said(message(6, "six")).json())
        await chat.received(try welcome(.recent, [message(5, "five"), message(6, "six")]))
        await chat.received(try ServerMessage.said(message(6, "six")).json())
        await chat.received(try ServerMessage.said(message(7, "seven")).json())
        let said = await screen.lines().filter { $0.contains("bob: ") }
        #expect(said.map { $0.suffix(5).description } == [" five", ": six", "seven"])
    }

    @Test("If the terminal echoes, the user's own lines are not printed twice")
    func echo() async throws {
        let chat = chat(echoes: true)
        await open(chat)
        await chat.received(try welcome())
        _ = await record.take()
        await chat.typed("mine")
        let ref = try await onlyRef(text: "mine")
        await chat.received(try ServerMessage.said(message(1, "mine", ref: ref, by: "ann")).json())
        #expect(await screen.lines().allSatisfy { !$0.contains("mine") })
    }

    @Test("A rejected message is reported, and the next one is sent")
    func refused() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try welcome())
        _ = await record.take()
        await chat.typed("bad")
        let ref = try await onlyRef(text: "bad")
        await chat.typed("good")
        await chat.received(try ServerMessage.error(ChatError(.tooLong, "Too long.", ref: ref)).json())
        _ = try await onlyRef(text: "good")
        #expect(await screen.lines().last == "* not sent: Too long.")
        #expect(await chat.end == nil)
    }

    @Test("A rejected join and a takeover end the program with the reason")
    func notLetIn() async throws {
        let outside = chat()
        await open(outside)
        await outside.received(try ServerMessage.error(ChatError(.nameTaken, "Taken.", field: "name")).json())
        #expect(await outside.end == .refused("Taken."))
        #expect(await outside.lost() == false)
        let inside = chat()
        await open(inside)
        await inside.received(try welcome())
        await inside.received(try ServerMessage.error(.sessionReplaced).json())
        #expect(await inside.end == .refused(ChatError.sessionReplaced.text))
    }

    @Test("Commands are not sent, two slashes send one, and unknown commands are reported")
    func commands() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try welcome())
        _ = await record.take()
        for line in ["/who", "/help", "/nope", "", "   "] { await chat.typed(line) }
        #expect(await record.take() == [])
        await chat.typed("//who")
        _ = try await onlyRef(text: "/who")
        await chat.typed("/quit")
        #expect(await chat.end == .finished)
        #expect(await screen.lines().contains { $0.contains("/nope") })
    }

    @Test("After the end of the input, it ends when the last line is stored")
    func pipe() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try welcome())
        _ = await record.take()
        await chat.typed("last")
        let ref = try await onlyRef(text: "last")
        await chat.inputOver()
        #expect(await chat.end == nil)
        async let ended = chat.ended()
        await chat.received(try ServerMessage.said(message(1, "last", ref: ref, by: "ann")).json())
        #expect(await ended == .finished)
        #expect(await chat.ended() == .finished)
    }

    @Test(
        "Text cannot steer the terminal",
        arguments: [
            ("\u{1B}[2Jx", "\u{FFFD}[2Jx"), ("a\u{7}b\u{9B}c", "a\u{FFFD}b\u{FFFD}c"), ("a\tb", "a\tb"),
            ("x\u{202E}y", "x\u{FFFD}y"), ("👩‍🚀 é", "👩‍🚀 é"), ("a\r", "a\u{FFFD}"),
        ])
    func safe(text: String, shown: String) {
        #expect(TerminalText.safe(text) == shown)
    }

    @Test("The lines of a message are aligned")
    func lines() {
        let lines = TerminalText.line(for: message(1, "one\ntwo")).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasSuffix("] bob: one") == true)
        #expect(lines.last.map(String.init) == "             two")
    }

    @Test("A server that sends messages but no welcome cannot fill the memory")
    func early() async throws {
        let chat = chat()
        await open(chat)
        let json = try ServerMessage.said(message(1, String(repeating: "x", count: 100_000))).json()
        for _ in 0..<10 { await chat.received(json) }
        #expect(await chat.end == nil)
        await chat.received(json)
        #expect(await chat.end == .refused("The server sends messages but no welcome."))
        // Each connection starts with an empty buffer.
        let other = self.chat()
        for _ in 0..<3 {
            await open(other)
            for _ in 0..<10 { await other.received(json) }
            #expect(await other.lost())
        }
        #expect(await other.end == nil)
    }

    @Test("The number of people and the length of their names are bounded")
    func people() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try welcome())
        for number in 0..<10_100 {
            await chat.received(
                try ServerMessage.joined(name: "\(number)" + String(repeating: "n", count: 500)).json())
        }
        await chat.typed("/who")
        await chat.received(try ServerMessage.left(name: "7" + String(repeating: "n", count: 500)).json())
        await chat.typed("/who")
        let lines = await screen.lines().filter { $0.contains(" here:") }
        #expect(lines.count == 3)
        #expect(lines[1].hasPrefix("* 10000 here:") && lines[2].hasPrefix("* 9999 here:"))
        #expect(lines[1].count <= TerminalText.maxTextLength + 10)
    }

    @Test("A long name and many lines cannot fill the memory with indentation")
    func indents() {
        let line = TerminalText.line(
            for: message(
                1, String(repeating: "\n", count: 500_000), by: String(repeating: "n", count: 500_000)))
        #expect(line.utf8.count < 2_000_000)
    }

    @Test("After repeated too_fast errors, the message is sent again once")
    func tooFast() async throws {
        let chat = chat()
        await open(chat)
        await chat.received(try welcome())
        _ = await record.take()
        await chat.typed("x")
        let ref = try await onlyRef(text: "x")
        for _ in 0..<100 {
            await chat.received(try ServerMessage.error(ChatError(.tooFast, "Too fast.", ref: ref)).json())
        }
        var sent: [ClientMessage] = []
        while sent.isEmpty {
            await Task.yield()
            sent = await record.take()
        }
        #expect(sent.count == 1)
    }

    @Test("A join is retried after a too_fast error")
    func tooFastToJoin() async throws {
        let chat = chat()
        await open(chat)
        #expect(await record.take().count == 1)
        await chat.received(try ServerMessage.error(ChatError(.tooFast, "Wait.")).json())
        var sent: [ClientMessage] = []
        while sent.isEmpty {
            await Task.yield()
            sent = await record.take()
        }
        #expect(sent == [.join(.init(name: "ann"))])
        #expect(await chat.end == nil)
    }
}
