import FoundationEssentials
import GRDB

/// The stored messages of all rooms, in one SQLite file. All work runs on the store's own queues, never on the
/// caller's event loop.
struct History: Sendable {
    let database: any DatabaseWriter
    /// How long messages are kept and how many.
    private let limits: ChatLimits

    /// Opens the file, creating it if it is missing, and migrates its tables. Only its owner may read it and the files
    /// beside it, which SQLite creates with the same permissions.
    init(path: String, limits: ChatLimits = ChatLimits()) throws {
        try PrivateFile.prepare(path)
        for suffix in ["-wal", "-shm", "-journal"] { try PrivateFile.tightenExisting(path + suffix) }
        // A pool uses WAL mode, so reading the history does not wait for a message that is being stored.
        try self.init(database: DatabasePool(path: path, configuration: Self.configuration), limits: limits)
    }

    /// A history in memory.
    static func inMemory(limits: ChatLimits = ChatLimits()) throws -> History {
        try History(database: DatabaseQueue(configuration: configuration), limits: limits)
    }

    private init(database: any DatabaseWriter, limits: ChatLimits) throws {
        self.database = database
        self.limits = limits
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
            // AUTOINCREMENT never reuses an id, so “after this id” always stays correct.
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
        migrator.registerMigration("2: retention") { database in
            // Triggers count the messages of each room, so that the count is one lookup.
            // `forgotten` is the highest id that was deleted.
            try database.execute(
                sql: """
                    CREATE TABLE room (
                        name TEXT NOT NULL PRIMARY KEY,
                        count INTEGER NOT NULL,
                        forgotten INTEGER NOT NULL DEFAULT 0
                    ) WITHOUT ROWID;
                    INSERT INTO room (name, count) SELECT room, count(*) FROM message GROUP BY room;
                    CREATE INDEX room_count ON room (count);
                    CREATE INDEX message_time ON message (time);
                    CREATE TRIGGER message_stored AFTER INSERT ON message BEGIN
                        INSERT INTO room (name, count) VALUES (NEW.room, 1)
                            ON CONFLICT (name) DO UPDATE SET count = count + 1;
                    END;
                    CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
                        UPDATE room SET count = count - 1, forgotten = max(forgotten, OLD.id)
                            WHERE name = OLD.room;
                        DELETE FROM room WHERE name = OLD.room AND count <= 0;
                    END;
                    """)
        }
        return migrator
    }

    /// The result of ``append(_:name:room:ref:time:)``.
    struct Stored: Sendable, Equatable {
        /// The stored message.
        var message: ChatMessage
        /// `false` if the same person had already sent the same `ref`. The message was published then.
        var isNew: Bool
    }

    /// Stores a message.
    ///
    /// - Parameter time: now, in milliseconds since 1970-01-01T00:00:00Z.
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
            try Self.deleteExpired(in: database, room: room.text, time: time, limits: limits)
            return Stored(message: message, isNew: true)
        }
    }

    /// Deletes some of the expired messages.
    ///
    /// - Parameter time: now, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Returns: whether there may be more.
    func sweep(at time: Int64) async throws -> Bool {
        try await database.write { database in
            let crowded = try String.fetchOne(
                database, sql: "SELECT name FROM room WHERE count > ? ORDER BY count DESC LIMIT 1",
                arguments: [limits.retainedMessagesPerRoom])
            return try Self.deleteExpired(in: database, room: crowded, time: time, limits: limits) > 0
        }
    }

    /// Deletes expired messages: in one room, and in all rooms. `sweepSize` bounds the work. It is more than one message,
    /// so that deleting keeps up with storing.
    ///
    /// - Returns: how many messages were deleted.
    @discardableResult
    private static func deleteExpired(
        in database: Database, room: String?, time: Int64, limits: ChatLimits
    ) throws -> Int {
        let before = database.totalChangesCount
        func delete(_ choice: String, _ arguments: StatementArguments, most: Int) throws {
            guard most > 0 else { return }
            try database.execute(
                sql: "DELETE FROM message WHERE id IN (SELECT id FROM message WHERE \(choice) LIMIT ?)",
                arguments: arguments + [most])
        }
        if let room,
            let count = try Int.fetchOne(
                database, sql: "SELECT count FROM room WHERE name = ?", arguments: [room])
        {
            try delete(
                "room = ? ORDER BY id", [room],
                most: min(count - limits.retainedMessagesPerRoom, limits.sweepSize))
        }
        let (age, isEndless) = Int64(limits.retentionPeriod.components.seconds).multipliedReportingOverflow(
            by: 1000)
        if !isEndless, time > age {
            try delete("time < ? ORDER BY time", [time - age], most: limits.sweepSize)
        }
        let last = try Int64.fetchOne(database, sql: "SELECT max(id) FROM message") ?? 0
        // Deleted messages leave gaps between the ids, so this keeps at most that many messages.
        try delete("id <= ? ORDER BY id", [last - Int64(limits.retainedMessages)], most: limits.sweepSize)
        return database.totalChangesCount - before
    }

    /// The latest messages of a room, oldest first.
    func recent(in room: RoomName, limit: Int) async throws -> [ChatMessage] {
        try await database.read { database in
            try Self.latest(database, in: room, after: 0, limit: limit)
        }
    }

    /// The messages for a client that has seen everything up to `after`, or nothing if it is `nil`.
    func catchUp(
        in room: RoomName, after: Int64?, limits: ChatLimits
    ) async throws -> (ServerMessage.Welcome.HistoryKind, [ChatMessage]) {
        try await database.read { database in
            let last =
                try Int64.fetchOne(
                    database, sql: "SELECT max(id) FROM message WHERE room = ?", arguments: [room.text]) ?? 0
            // An id above the highest one comes from another store, so the client's messages are of no use here.
            guard let after, after >= 0, after <= last else {
                return (.recent, try Self.latest(database, in: room, after: 0, limit: limits.recentMessages))
            }
            // One more than the limit, to find out whether any are left out.
            let (probe, overflowed) = limits.missedMessages.addingReportingOverflow(1)
            let missed = try Self.latest(
                database, in: room, after: after, limit: overflowed ? limits.missedMessages : probe)
            let newest = Self.newest(of: missed, limits: limits)
            let isWhole = try newest.count == missed.count && Self.isKept(database, after: after, in: room)
            return (isWhole ? .missed : .gap, newest)
        }
    }

    /// Whether all messages of the room after that id are still stored. The oldest messages are deleted first, so they
    /// are if the message with that id is.
    private static func isKept(_ database: Database, after: Int64, in room: RoomName) throws -> Bool {
        let sql =
            after == 0
            ? "SELECT 1 FROM room WHERE name = ? AND forgotten > ?"
            : "SELECT 1 FROM message WHERE room = ? AND id = ?"
        let isFound = try Bool.fetchOne(database, sql: sql, arguments: [room.text, after]) ?? false
        return isFound == (after != 0)
    }

    /// The newest of the messages within the limits, but at least one.
    private static func newest(of messages: [ChatMessage], limits: ChatLimits) -> [ChatMessage] {
        var size = 0
        var count = 0
        for message in messages.reversed() {
            size += message.text.utf8.count
            guard count < limits.missedMessages, size <= limits.missedBytes || count == 0 else { break }
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
