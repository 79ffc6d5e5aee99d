import FoundationEssentials
import GRDB

/// Everything that was said, in one SQLite file. All work is done on the store's own queues, never on the
/// caller's event loop.
struct History: Sendable {
    let database: any DatabaseWriter
    /// How long messages are kept, and how many.
    private let limits: ChatLimits

    /// Opens the file, creates it where it is missing, and brings its tables up to date. Only its owner may read it and
    /// the files beside it, which SQLite makes with the same permissions.
    init(path: String, limits: ChatLimits = ChatLimits()) throws {
        try PrivateFile.prepare(path)
        for suffix in ["-wal", "-shm", "-journal"] { try PrivateFile.tightenExisting(path + suffix) }
        // A pool is in WAL mode: reading the history does not wait for a message that is being stored.
        try self.init(database: DatabasePool(path: path, configuration: Self.configuration), limits: limits)
    }

    /// A history that is gone with the program.
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
        migrator.registerMigration("2: retention") { database in
            // Counted by the database itself, so that to know how many messages a room has costs one look.
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
            try Self.forget(in: database, room: room.text, time: time, limits: limits)
            return Stored(message: message, isNew: true)
        }
    }

    /// Deletes some of the messages that are not kept any longer.
    ///
    /// - Parameter time: now, in milliseconds since 1970-01-01T00:00:00Z.
    /// - Returns: whether there may be more of them.
    func sweep(at time: Int64) async throws -> Bool {
        try await database.write { database in
            let crowded = try String.fetchOne(
                database, sql: "SELECT name FROM room WHERE count > ? ORDER BY count DESC LIMIT 1",
                arguments: [limits.keptMessages])
            return try Self.forget(in: database, room: crowded, time: time, limits: limits) > 0
        }
    }

    /// Deletes what is not kept any longer: in one room, and of all rooms. The work is bounded by `sweepSize`, which is
    /// more than one message, so that it keeps up with what is stored.
    ///
    /// - Returns: how many messages are gone.
    @discardableResult
    private static func forget(
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
                "room = ? ORDER BY id", [room], most: min(count - limits.keptMessages, limits.sweepSize))
        }
        let (age, isEndless) = Int64(limits.keptTime.components.seconds).multipliedReportingOverflow(by: 1000)
        if !isEndless, time > age {
            try delete("time < ? ORDER BY time", [time - age], most: limits.sweepSize)
        }
        let last = try Int64.fetchOne(database, sql: "SELECT max(id) FROM message") ?? 0
        // Ids have gaps where messages were deleted, so this keeps that many at most.
        try delete("id <= ? ORDER BY id", [last - Int64(limits.keptInAll)], most: limits.sweepSize)
        return database.totalChangesCount - before
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
            let isWhole = try newest.count == missed.count && Self.isKept(database, after: after, in: room)
            return (isWhole ? .missed : .gap, newest)
        }
    }

    /// Whether everything of the room behind that id is still there. The oldest are deleted first, so it is when the
    /// message itself is.
    private static func isKept(_ database: Database, after: Int64, in room: RoomName) throws -> Bool {
        let sql =
            after == 0
            ? "SELECT 1 FROM room WHERE name = ? AND forgotten > ?"
            : "SELECT 1 FROM message WHERE room = ? AND id = ?"
        let isFound = try Bool.fetchOne(database, sql: sql, arguments: [room.text, after]) ?? false
        return isFound == (after != 0)
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
