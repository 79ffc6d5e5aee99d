import CoreMetrics
import HTTPKit
import Synchronization

/// Hands what the server counts anyway to swift-metrics, now and then.
final class ServerMeters: Sendable {
    /// How often it is done if nobody asks.
    static let interval = Duration.seconds(10)

    private let connections, sockets, requests: Meter
    private let bytesIn, bytesOut, messagesIn, messagesOut, dropped: Counter
    private let recorded = Mutex(ServerStatistics())

    init(factory: any MetricsFactory) {
        func meter(_ label: String) -> Meter { Meter(label: label, factory: factory) }
        func counter(_ label: String, _ direction: String? = nil) -> Counter {
            let dimensions = direction.map { [("network.io.direction", $0)] } ?? []
            return Counter(label: label, dimensions: dimensions, factory: factory)
        }
        connections = meter("http.server.open_connections")
        requests = meter("http.server.active_requests")
        sockets = meter("websocket.server.open_sockets")
        bytesIn = counter("http.server.io", "receive")
        bytesOut = counter("http.server.io", "transmit")
        messagesIn = counter("websocket.server.messages", "receive")
        messagesOut = counter("websocket.server.messages", "transmit")
        dropped = counter("websocket.server.messages.dropped")
    }

    /// Sets the meters, and adds to the counters what has come since the last call.
    func record(_ now: ServerStatistics) {
        recorded.withLock { before in
            connections.set(now.connections)
            requests.set(now.activeRequests)
            sockets.set(now.sockets)
            bytesIn.increment(by: max(0, now.bytesIn - before.bytesIn))
            bytesOut.increment(by: max(0, now.bytesOut - before.bytesOut))
            messagesIn.increment(by: max(0, now.messagesIn - before.messagesIn))
            messagesOut.increment(by: max(0, now.messagesOut - before.messagesOut))
            dropped.increment(by: max(0, now.messagesDropped - before.messagesDropped))
            before = now
        }
    }
}

/// What an application measures, if swift-metrics has a backend.
struct AppMetrics: Sendable {
    let requests: RequestMetrics
    let meters: ServerMeters
    private let factory: any MetricsFactory

    /// `nil` if no backend is bootstrapped. Then nothing is measured, and nothing is paid for it.
    init?(factory: any MetricsFactory = MetricsSystem.factory) {
        guard !(factory is NOOPMetricsHandler) else { return nil }
        self.factory = factory
        requests = RequestMetrics(factory: factory)
        meters = ServerMeters(factory: factory)
    }

    /// Counts requests that could not be read.
    var refused: @Sendable (HTTPError) -> Void {
        { [factory] error in
            Counter(
                label: "http.server.refused_requests",
                dimensions: [("http.response.status_code", "\(error.status.code)")], factory: factory
            ).increment()
        }
    }

    /// Counts handlers that held their event loop for more than 100 ms.
    var blocked: @Sendable (_ milliseconds: Int64, _ route: String) -> Void {
        { [factory] milliseconds, _ in
            CoreMetrics.Timer(label: "http.server.blocked_loop.duration", factory: factory)
                .recordNanoseconds(milliseconds * 1_000_000)
        }
    }
}
