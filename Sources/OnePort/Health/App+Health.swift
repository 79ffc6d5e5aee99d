import HTTPKit

extension App {
    /// Serves the health of the application, for load balancers and orchestrators.
    ///
    /// - `PATH/live` responds with 200 as long as the application responds at all. An orchestrator restarts it otherwise.
    /// - `PATH/ready`, and `PATH` itself, respond with 200 if all checks pass, and with 503 otherwise and from the moment in
    ///   which the application is told to shut down. A load balancer sends no requests then. `--drain-delay` gives it time
    ///   to notice before connections are refused.
    ///
    /// ```swift
    /// app.health { checks in
    ///     checks.add("database") { try await database.ping() }
    /// }
    /// ```
    ///
    /// The response names each check with `pass` or `fail`. The errors themselves are logged, when a check begins to fail,
    /// and not sent. Checks run at the same time, on no event loop in particular, and only if somebody asks: at most once in
    /// `maxAge`.
    ///
    /// - Parameters:
    ///   - path: The path.
    ///   - maxAge: How long results are used again, so that a flood of requests does not reach what is checked.
    ///   - clock: Measures `maxAge` and the timeouts.
    ///   - declare: Adds the checks.
    public func health(
        _ path: String = "/health", maxAge: Duration = .seconds(1),
        clock: some Clock<Duration> = ContinuousClock(), _ declare: (inout HealthChecks) -> Void = { _ in }
    ) {
        var checks = HealthChecks()
        declare(&checks)
        let monitor = HealthMonitor(checks: checks.all, maxAge: maxAge, logger: logger, clock: clock)
        let ready: Handler = { [weak self] request in
            let isDraining = request.isDraining || self?.isShuttingDown == true
            return try HealthReport(await monitor.results(), isDraining: isDraining).response
        }
        group(path) { group in
            group.get("/", ready)
            group.get("/ready", ready)
            group.get("/live") { _ in try HealthReport([], isDraining: false).response }
        }
    }
}

/// What a response says about the health.
private struct HealthReport: Encodable {
    struct Check: Encodable {
        let status: String
        let reason: String?
    }

    let status: String
    let draining: Bool?
    let checks: [String: Check]?

    init(_ results: HealthMonitor.Results, isDraining: Bool) {
        status = !isDraining && results.allSatisfy(\.result.isPassed) ? "pass" : "fail"
        draining = isDraining ? true : nil
        let named = results.map {
            ($0.name, Check(status: $0.result.isPassed ? "pass" : "fail", reason: $0.result.reason))
        }
        checks = named.isEmpty ? nil : Dictionary(uniqueKeysWithValues: named)
    }

    var response: Response {
        get throws {
            var response = try Response.json(self, status: status == "pass" ? .ok : .serviceUnavailable)
            response.fields[.cacheControl] = "no-store"
            return response
        }
    }
}
