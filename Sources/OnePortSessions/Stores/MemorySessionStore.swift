import Synchronization

/// Keeps sessions in the memory of the process, up to a bound. They end with the process.
///
/// When it is full, it drops a sixteenth of its sessions at once: those of visitors first, and of these the ones that were
/// not used for longest. So a flood of visitors does not sign anybody out.
public final class MemorySessionStore: SessionStore {
    /// The most sessions that are kept.
    public let capacity: Int
    private let records = Mutex<[String: SessionRecord]>([:])

    /// An empty store.
    ///
    /// - Parameter capacity: the most sessions that are kept, at least 1.
    public init(capacity: Int = 100_000) { self.capacity = max(1, capacity) }

    /// How many sessions there are, those that have expired and were not dropped yet included.
    public var count: Int { records.withLock { $0.count } }

    /// The record of a session; `nil` if there is none.
    public func load(_ key: String) -> SessionRecord? { records.withLock { $0[key] } }

    /// Keeps a new session.
    public func insert(_ record: SessionRecord, for key: String) {
        records.withLock { records in
            if records.count >= capacity { Self.makeRoom(in: &records, capacity, now: record.usedAt) }
            records[key] = record
        }
    }

    /// Changes the record of a session that is there.
    public func update(_ key: String, _ change: @Sendable (inout SessionRecord) -> Void) -> Bool {
        records.withLock { records in
            guard var record = records[key] else { return false }
            change(&record)
            records[key] = record
            return true
        }
    }

    /// Removes a session.
    public func remove(_ key: String) -> SessionRecord? { records.withLock { $0.removeValue(forKey: key) } }

    /// Removes all sessions of a user. It looks at every session.
    public func removeAll(of user: String) {
        records.withLock { records in records = records.filter { $0.value.user != user } }
    }

    private static func makeRoom(in records: inout [String: SessionRecord], _ capacity: Int, now: Int64) {
        records = records.filter { $0.value.expiresAt > now }
        guard records.count >= capacity else { return }
        let order = records.sorted { left, right in
            let (isVisitor, isOtherVisitor) = (left.value.user == nil, right.value.user == nil)
            return isVisitor == isOtherVisitor ? left.value.usedAt < right.value.usedAt : isVisitor
        }
        for (key, _) in order.prefix(records.count - capacity + capacity / 16 + 1) {
            records.removeValue(forKey: key)
        }
    }
}
