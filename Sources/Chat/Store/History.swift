import FoundationEssentials
import GRDB

/// Everything that was said, in one SQLite file. All work is done on the store's own queues, never on the
/// caller's event loop.
struct History: Sendable {
    private let database: any DatabaseWriter

    /// Opens the file, creates it where it is missing, and brings its tables up to date.
    init(path: String) throws {
        // A pool is in WAL mode: reading the history does not wait for a message that is being stored.
        try self.init(database: DatabasePool(path: path, configuration: Self.configuration))
    }

    /// A history that is gone with the program.
    static func inMemory() throws -> History {
        try History(database: DatabaseQueue(configuration: configuration))
    }

    private init(database: any DatabaseWriter) throws {
        self.database = database
        try Self.migrator.migrate(database)
    }

    private static var configuration: GRDB.Configuration {
        var configuration = GRDB.Configuration()
        configuration.label = "chat"
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        return configuration
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: messages") { database in
            // AUTOINCREMENT: an id is never used twice, so “after this id” stays true for ever.
            try database.execute(
                sql: """
                    CREATE TABLE message (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        room TEXT NOT NULL,
                        name TEXT NOT NULL,
                        text TEXT NOT NULL,
                        time INTEGER NOT NULL,
                        ref TEXT
                    );
                    CREATE INDEX message_room ON message (room, id);
                    CREATE UNIQUE INDEX message_ref ON message (room, name, ref) WHERE ref IS NOT NULL;
                    """)
        }
        return migrator
    }

    /// What became of an ``append(_:name:room:ref:time:)``.
    struct Stored: Sendable, Equatable {
        /// As it is in the store.
        var message: ChatMessage
        /// False where the same person had sent the same `ref` before: it was published then.
        var isNew: Bool
    }

    /// Stores what somebody said.
    ///
    /// - Parameter time: milliseconds since 1970-01-01T00:00:00Z.
    func append(
        _ text: SaidText, name: PersonName, room: RoomName, ref: String?, time: Int64
    ) async throws -> Stored {
        try await database.write { database in
            if let ref,
                let row = try Row.fetchOne(
                    database, sql: "\(Self.columns) WHERE room = ? AND name = ? AND ref = ?",
                    arguments: [room.text, name.text, ref])
            {
                return Stored(message: Self.message(row), isNew: false)
            }
            try database.execute(
                sql: "INSERT INTO message (room, name, text, time, ref) VALUES (?, ?, ?, ?, ?)",
                arguments: [room.text, name.text, text.text, time, ref])
            let message = ChatMessage(
                id: database.lastInsertedRowID, name: name.text, text: text.text, time: time, ref: ref)
            return Stored(message: message, isNew: true)
        }
    }

    /// The latest messages of a room, oldest first.
    func recent(in room: RoomName, limit: Int) async throws -> [ChatMessage] {
        try await database.read { database in
            try Self.latest(database, in: room, after: 0, limit: limit)
        }
    }

    /// What somebody needs who has seen everything up to `after`, or nothing.
    func catchUp(
        in room: RoomName, after: Int64?, limits: ChatLimits
    ) async throws -> (ServerMessage.Welcome.History, [ChatMessage]) {
        try await database.read { database in
            let last =
                try Int64.fetchOne(
                    database, sql: "SELECT max(id) FROM message WHERE room = ?", arguments: [room.text]) ?? 0
            // An id that was never given comes from another store: what the client has is of no use here.
            guard let after, after >= 0, after <= last else {
                return (.recent, try Self.latest(database, in: room, after: 0, limit: limits.recentMessages))
            }
            // One more than is sent tells whether anything is left out.
            let (probe, overflowed) = limits.missedMessages.addingReportingOverflow(1)
            let missed = try Self.latest(
                database, in: room, after: after, limit: overflowed ? limits.missedMessages : probe)
            let newest = Self.newest(of: missed, limits: limits)
            return (newest.count < missed.count ? .gap : .missed, newest)
        }
    }

    /// The end of `messages` that is within the limits, but at least one.
    private static func newest(of messages: [ChatMessage], limits: ChatLimits) -> [ChatMessage] {
        var octets = 0
        var count = 0
        for message in messages.reversed() {
            octets += message.text.utf8.count
            guard count < limits.missedMessages, octets <= limits.missedOctets || count == 0 else { break }
            count += 1
        }
        return Array(messages.suffix(count))
    }

    private static let columns = "SELECT id, name, text, time, ref FROM message"

    private static func latest(
        _ database: Database, in room: RoomName, after: Int64, limit: Int
    ) throws -> [ChatMessage] {
        try Row.fetchAll(
            database, sql: "\(columns) WHERE room = ? AND id > ? ORDER BY id DESC LIMIT ?",
            arguments: [room.text, after, limit]
        ).reversed().map(message)
    }

    private static func message(_ row: Row) -> ChatMessage {
        ChatMessage(id: row["id"], name: row["name"], text: row["text"], time: row["time"], ref: row["ref"])
    }

    /// Now, in milliseconds since 1970-01-01T00:00:00Z.
    static func now() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1000)
    }
}
