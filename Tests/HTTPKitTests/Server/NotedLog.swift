import Logging
import Synchronization

/// What a server logs, in order.
final class NotedLog: Sendable {
    struct Entry: Sendable {
        /// `level message`.
        let line: String
        let metadata: [String: String]
    }

    private let noted = Mutex<[Entry]>([])

    var entries: [Entry] { noted.withLock { $0 } }
    /// `level message` of each.
    var lines: [String] { entries.map(\.line) }
    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: NotedLog
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = (event.metadata ?? [:]).mapValues { "\($0)" }
            log.noted.withLock {
                $0.append(Entry(line: "\(event.level) \(event.message)", metadata: metadata))
            }
        }
    }
}
