import FoundationEssentials
import Testing

@testable import Chat

@Suite("The history")
struct HistoryTests {
    private let lobby: RoomName
    private let other: RoomName
    private let ann: PersonName

    init() throws {
        lobby = try RoomName("lobby")
        other = try RoomName("other")
        ann = try PersonName("ann")
    }

    @discardableResult
    private func say(_ texts: [String], in room: RoomName, _ history: History) async throws -> [ChatMessage] {
        var stored: [ChatMessage] = []
        for text in texts {
            stored.append(
                try await history.append(SaidText(text), name: ann, room: room, ref: nil, time: 5).message)
        }
        return stored
    }

    @Test("What is stored comes back, oldest first, room by room")
    func recent() async throws {
        let history = try History.inMemory()
        let said = try await say(["1", "2", "3"], in: lobby, history)
        try await say(["x"], in: other, history)
        #expect(try await history.recent(in: lobby, limit: 100) == said)
        #expect(try await history.recent(in: lobby, limit: 2) == Array(said.suffix(2)))
        #expect(try await history.recent(in: RoomName("empty"), limit: 100).isEmpty)
        #expect(said.map(\.id) == said.map(\.id).sorted())
        #expect(said.first == ChatMessage(id: 1, name: "ann", text: "1", time: 5))
    }

    @Test("The same ref of the same person in the same room is the same message")
    func refs() async throws {
        let history = try History.inMemory()
        let text = try SaidText("hi")
        let first = try await history.append(text, name: ann, room: lobby, ref: "r", time: 1)
        let again = try await history.append(text, name: ann, room: lobby, ref: "r", time: 2)
        #expect(first.isNew)
        #expect(!again.isNew)
        #expect(again.message == first.message)
        #expect(try await history.append(text, name: ann, room: other, ref: "r", time: 3).isNew)
        #expect(try await history.append(text, name: PersonName("bob"), room: lobby, ref: "r", time: 3).isNew)
        #expect(try await history.recent(in: lobby, limit: 9).count == 2)
    }

    @Test("A returning client gets what it missed; of too much, the newest and a word about the gap")
    func catchUp() async throws {
        let history = try History.inMemory()
        let said = try await say((1...6).map(String.init), in: lobby, history)
        var limits = ChatLimits()
        limits.recentMessages = 2
        limits.missedMessages = 3
        let cases: [(Int64?, ServerMessage.Welcome.History, Int)] = [
            (nil, .recent, 2), (6, .missed, 0), (5, .missed, 1), (3, .missed, 3), (2, .gap, 3), (0, .gap, 3),
            // Ids that this store never gave.
            (7, .recent, 2), (.max, .recent, 2), (-1, .recent, 2), (.min, .recent, 2),
        ]
        for (after, kind, count) in cases {
            let (history, messages) = try await history.catchUp(in: lobby, after: after, limits: limits)
            #expect(history == kind, "after \(after ?? -99)")
            #expect(messages == Array(said.suffix(count)), "after \(after ?? -99)")
        }
    }

    @Test("What is sent of the missed is bounded in octets too")
    func missedOctets() async throws {
        let history = try History.inMemory()
        let said = try await say(["aaaa", "bbbb", "cccc", "dd"], in: lobby, history)
        var limits = ChatLimits()
        for (octets, count) in [(14, 4), (13, 3), (10, 3), (9, 2), (6, 2), (5, 1), (1, 1)] {
            limits.missedOctets = octets
            let (kind, messages) = try await history.catchUp(in: lobby, after: 0, limits: limits)
            #expect(messages == Array(said.suffix(count)), "\(octets) octets")
            #expect(kind == (count == 4 ? .missed : .gap))
        }
    }

    @Test("A text with everything that SQL and HTML care about comes back as it was")
    func hostileText() async throws {
        let history = try History.inMemory()
        let text = "'; DROP TABLE message; -- \" <script>alert(1)</script> \u{1F98A} \u{202E}"
        let stored = try await history.append(SaidText(text), name: ann, room: lobby, ref: "'", time: 1)
        #expect(stored.message.text == text)
        #expect(try await history.recent(in: lobby, limit: 1) == [stored.message])
    }

    @Test("A file is created by itself and holds what was said when it is opened again")
    func file() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "chat.sqlite").path
        let said = try await say(["1", "2"], in: lobby, History(path: path))
        #expect(try await History(path: path).recent(in: lobby, limit: 100) == said)
    }

    @Test("A file that cannot be opened is an error")
    func badPath() {
        #expect(throws: (any Error).self) { try History(path: "/nonexistent/folder/chat.sqlite") }
    }
}
