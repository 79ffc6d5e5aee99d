import CoreMetrics
import HTTPKit

/// Measures requests with swift-metrics, by the names of OpenTelemetry's conventions for HTTP.
///
/// The handlers of a backend are looked up by label and dimensions, which is slow, so each event loop keeps those that it
/// has used. There are only so many of them: a route's pattern, a known method, a status.
final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    /// What one event loop keeps, and touches only on the loop.
    private final class Series: LoopCounters {
        var durations: [Key: CoreMetrics.Timer] = [:]
        var active = 0

        func add(to statistics: inout ServerStatistics) { statistics.activeRequests += active }
    }

    private let factory: any MetricsFactory
    private let series = LoopLocal { _ in Series() }

    init(factory: any MetricsFactory) { self.factory = factory }

    /// The outermost middleware: it counts every request, those that no route takes too.
    var middleware: Middleware {
        Middleware { [self] request, next in
            let start = ContinuousClock.now
            series[request.connection.loop].active += 1
            request.onEnd { [self] end in ended(request, end, start) }
            return try await next(request)
        }
    }

    /// A response has been handed over to its end, or its connection has ended before. It is called on the loop.
    private func ended(_ request: Request, _ end: ExchangeEnd, _ start: ContinuousClock.Instant) {
        let series = series[request.connection.loop]
        series.active -= 1
        let key = Key(method: Self.name(of: request.method), route: request.pattern, status: end.status)
        let timer = series.durations[key] ?? make(key)
        series.durations[key] = timer
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        timer.recordNanoseconds(seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000)
    }

    private func make(_ key: Key) -> CoreMetrics.Timer {
        var dimensions = [("http.request.method", key.method)]
        if !key.route.isEmpty { dimensions.append(("http.route", key.route)) }
        // Without a response, the client was gone before.
        if key.status > 0 {
            dimensions.append(("http.response.status_code", "\(key.status)"))
        } else {
            dimensions.append(("error.type", "client_gone"))
        }
        return CoreMetrics.Timer(
            label: "http.server.request.duration", dimensions: dimensions, factory: factory)
    }

    /// The name of a known method. Others are one, so that clients cannot make up more.
    private static func name(of method: HTTPRequest.Method) -> String {
        known.contains(method.rawValue) ? method.rawValue : "_OTHER"
    }

    private static let known: Set<String> = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ]
}
