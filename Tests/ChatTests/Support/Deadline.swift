/// How long operations outside the test's own process may take. The value is generous, because a browser can be slow on
/// a busy machine.
let patience = Duration.seconds(120)

/// An operation did not finish in time.
struct TooLate: Error, CustomStringConvertible {
    let what: String
    var description: String { "\(what) did not happen within \(patience)" }
}

/// Runs `body` with a time limit. It must stop when it is cancelled.
func within<Result: Sendable>(
    _ what: String, limit: Duration = patience, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw TooLate(what: what) }
        return result
    }
}
