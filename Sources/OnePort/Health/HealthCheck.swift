/// A check of something that the application needs, such as its database.
struct HealthCheck: Sendable {
    let name: String
    /// How long it may take. A check that takes longer has failed, and its task is cancelled.
    let timeout: Duration
    let run: @Sendable () async throws -> Void
}

/// The checks of an application, as they are declared.
public struct HealthChecks {
    var all: [HealthCheck] = []

    /// Adds a check.
    ///
    /// - Parameters:
    ///   - name: Its name in the response. Two checks may not have the same name.
    ///   - timeout: How long it may take. A check that takes longer has failed, and its task is cancelled.
    ///   - check: Throws if the application is not able to serve.
    public mutating func add(
        _ name: String, timeout: Duration = .seconds(2), _ check: @escaping @Sendable () async throws -> Void
    ) {
        precondition(!all.contains { $0.name == name }, "the health check \(name) is declared twice")
        all.append(HealthCheck(name: name, timeout: timeout, run: check))
    }
}

/// How a check has ended.
enum HealthResult: Sendable, Equatable {
    case passed
    /// The error as text, for the log.
    case failed(String)
    case timedOut(Duration)

    var isPassed: Bool { self == .passed }

    /// What the response says. An error's text stays inside.
    var reason: String? {
        switch self {
        case .passed: nil
        case .failed: "the check failed"
        case .timedOut(let duration): "no result within \(duration)"
        }
    }
}
