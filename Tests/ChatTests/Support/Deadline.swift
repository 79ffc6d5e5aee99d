/// How long anything outside of the test's own process may take. Far more than it needs: on a busy machine with two
/// cores a browser takes its time, and a test that hurries fails for nothing.
let patience = Duration.seconds(120)

/// Something did not happen in time.
struct TooLate: Error, CustomStringConvertible {
    let what: String
    var description: String { "\(what) did not happen within \(patience)" }
}

/// Runs `body`, which must end when it is cancelled, for as long as patience lasts.
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
