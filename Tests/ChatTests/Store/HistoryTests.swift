import Foundation
import GRDB
import Testing

@testable import ChatApp

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

    @Test("Stored messages are returned oldest first, for each room")
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

    @Test("A returning client gets the messages that it missed, or the newest and a gap")
    func catchUp() async throws {
        let history = try History.inMemory()
        let said = try await say((1...6).map(String.init), in: lobby, history)
        var limits = ChatLimits()
        limits.recentMessages = 2
        limits.missedMessages = 3
        let cases: [(Int64?, ServerMessage.Welcome.HistoryKind, Int)] = [
            (nil, .recent, 2), (6, .missed, 0), (5, .missed, 1), (3, .missed, 3), (2, .gap, 3), (0, .gap, 3),
            // Ids that this store never assigned.
            (7, .recent, 2), (.max, .recent, 2), (-1, .recent, 2), (.min, .recent, 2),
        ]
        for (after, kind, count) in cases {
            let (history, messages) = try await history.catchUp(in: lobby, after: after, limits: limits)
            #expect(history == kind, "after \(after ?? -99)")
            #expect(messages == Array(said.suffix(count)), "after \(after ?? -99)")
        }
    }

    @Test("The size of the missed messages is bounded in bytes")
    func missedBytes() async throws {
        let history = try History.inMemory()
        let said = try await say(["aaaa", "bbbb", "cccc", "dd"], in: lobby, history)
        var limits = ChatLimits()
        for (bytes, count) in [(14, 4), (13, 3), (10, 3), (9, 2), (6, 2), (5, 1), (1, 1)] {
            limits.missedBytes = bytes
            let (kind, messages) = try await history.catchUp(in: lobby, after: 0, limits: limits)
            #expect(messages == Array(said.suffix(count)), "\(bytes) bytes")
            #expect(kind == (count == 4 ? .missed : .gap))
        }
    }

    @Test("A text with special characters of SQL and HTML is returned unchanged")
    func hostileText() async throws {
        let history = try History.inMemory()
        let text = "'; DROP TABLE message; -- \" <script>alert(1)</script> \u{1F98A} \u{202E}"
        let stored = try await history.append(SaidText(text), name: ann, room: lobby, ref: "'", time: 1)
        #expect(stored.message.text == text)
        #expect(try await history.recent(in: lobby, limit: 1) == [stored.message])
    }

    @Test("The file is created automatically and keeps the messages")
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

    @Test(
        "The number of messages in a room is bounded; the oldest are deleted, and other rooms are unaffected")
    func retainedPerRoom() async throws {
        var limits = ChatLimits()
        (limits.retainedMessagesPerRoom, limits.missedMessages) = (3, 100)
        let history = try History.inMemory(limits: limits)
        try await say(["x"], in: other, history)
        let said = try await say((1...10).map(String.init), in: lobby, history)
        #expect(try await history.recent(in: lobby, limit: 100) == Array(said.suffix(3)))
        #expect(try await history.recent(in: other, limit: 100).count == 1)
        // A client that has not seen the deleted messages gets a gap.
        let cases: [(Int, ServerMessage.Welcome.HistoryKind, Int)] = [
            (9, .missed, 0), (7, .missed, 2), (6, .gap, 3), (0, .gap, 3),
        ]
        for (index, kind, count) in cases {
            let (history, messages) = try await history.catchUp(
                in: lobby, after: said[index].id, limits: limits)
            #expect(history == kind, "\(index)")
            #expect(messages.count == count, "\(index)")
        }
        #expect(try await history.catchUp(in: lobby, after: 0, limits: limits).0 == .gap)
        #expect(try await history.catchUp(in: other, after: 0, limits: limits).0 == .missed)
    }

    @Test("Old messages are deleted in all rooms, and each step deletes a bounded number")
    func retentionPeriod() async throws {
        var limits = ChatLimits()
        (limits.retentionPeriod, limits.sweepSize) = (.seconds(10), 3)
        let history = try History.inMemory(limits: limits)
        func say(_ room: RoomName, at time: Int64) async throws {
            _ = try await history.append(SaidText("x"), name: ann, room: room, ref: nil, time: time)
        }
        for _ in 0..<10 { try await say(lobby, at: 1_000_000) }
        try await say(other, at: 1_009_999)
        #expect(try await history.recent(in: lobby, limit: 100).count == 10)
        try await say(other, at: 1_010_001)
        #expect(try await history.recent(in: lobby, limit: 100).count == 7)
        #expect(try await history.sweep(at: 1_010_001))
        #expect(try await history.recent(in: lobby, limit: 100).count == 4)
        var steps = 0
        while try await history.sweep(at: 1_010_001) { steps += 1 }
        #expect(steps == 2)
        #expect(try await history.recent(in: lobby, limit: 100).isEmpty)
        #expect(try await history.recent(in: other, limit: 100).count == 2)
    }

    @Test("The number of messages in all rooms is bounded")
    func retainedMessages() async throws {
        var limits = ChatLimits()
        limits.retainedMessages = 20
        let history = try History.inMemory(limits: limits)
        for number in 0..<50 { try await say(["a", "b"], in: RoomName("r\(number)"), history) }
        var count = 0
        for number in 0..<50 { count += try await history.recent(in: RoomName("r\(number)"), limit: 9).count }
        #expect(count == 20)
        let rooms = try await history.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM room") }
        #expect(rooms == 10, "a room without messages has no row")
    }

    @Test("A lower limit is reached in steps")
    func smallerLimit() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "chat-\(UUID().uuidString).sqlite")
            .path
        defer {
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        }
        try await say((0..<20).map(String.init), in: lobby, History(path: path))
        var limits = ChatLimits()
        (limits.retainedMessagesPerRoom, limits.sweepSize) = (5, 4)
        let history = try History(path: path, limits: limits)
        while try await history.sweep(at: 6) {}
        #expect(
            try await history.recent(in: lobby, limit: 100).map(\.text) == ["15", "16", "17", "18", "19"])
    }

    @Test(
        "Only the owner may read the file and the files beside it", arguments: [nil, 0o644, 0o666] as [Int?])
    func permissions(before: Int?) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "chat-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "chat.sqlite").path
        if let before {
            for suffix in ["", "-wal", "-shm"] {
                _ = FileManager.default.createFile(
                    atPath: path + suffix, contents: Data(), attributes: [.posixPermissions: before])
            }
        }
        let history = try History(path: path)
        try await say(["1"], in: lobby, history)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(files == ["chat.sqlite", "chat.sqlite-shm", "chat.sqlite-wal"])
        for file in files {
            let attributes = try FileManager.default.attributesOfItem(
                atPath: folder.appending(path: file).path)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(file)")
        }
        #expect(try await history.recent(in: lobby, limit: 9).count == 1)
    }
}
