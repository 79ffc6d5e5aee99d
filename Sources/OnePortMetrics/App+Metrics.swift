import HTTPKit
public import OnePort

extension App {
    /// Serves the metrics of the process at `path`, in Prometheus' text format.
    ///
    /// They are those of the application itself, and everything that other code measures with swift-metrics:
    ///
    /// - `http_server_request_duration_seconds`, a histogram by method, route (its pattern) and status;
    /// - `http_server_active_requests`, `http_server_open_connections`, `websocket_server_open_sockets`;
    /// - `http_server_io_total` in bytes, `websocket_server_messages_total`, `websocket_server_messages_dropped_total`;
    /// - `http_server_refused_requests_total`, requests that could not be read, by status;
    /// - `http_server_blocked_loop_duration_seconds`, handlers that held their event loop for more than 100 ms.
    ///
    /// Call it before `run`, and before other code makes counters. It bootstraps swift-metrics with
    /// `PrometheusRegistry.shared`. If another backend is bootstrapped already, it gets the metrics, and the path responds
    /// with 404.
    ///
    /// The path is open to everybody who can reach the application. Declare it in a group with authentication, or serve it on
    /// a private address, if that matters.
    public func metrics(_ path: String = "/metrics") {
        let isBackend = PrometheusRegistry.isBackend
        let registry = PrometheusRegistry.shared
        if isBackend { registry.addCollector { [weak self] in await self?.recordMetrics() } }
        get(path) { _ in
            guard isBackend else { throw HTTPFailure(.notFound, "the metrics go to another backend") }
            return Response(
                fields: [
                    .contentType: "text/plain; version=0.0.4; charset=utf-8", .cacheControl: "no-store",
                ], body: .string(await registry.text()))
        }
    }
}
