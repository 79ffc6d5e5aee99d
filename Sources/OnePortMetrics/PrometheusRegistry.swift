public import CoreMetrics
import Synchronization

/// Keeps metrics in memory, and shows them in Prometheus' text format, version 0.0.4. It is a backend of swift-metrics.
///
/// Counters become counters (`_total`), meters and gauges gauges, timers histograms in seconds (`_seconds`), and recorders
/// histograms. In names, characters that the format does not have become `_`: `http.route` is `http_route`.
public final class PrometheusRegistry: Sendable {
    /// The registry that `App.metrics` uses.
    public static let shared = PrometheusRegistry()

    /// How many series one metric may have. Above it, further ones are left out, and counted in
    /// `oneport_metrics_series_left_out_total`: labels with values that clients choose would fill the memory.
    public let maxSeries: Int

    private struct Family {
        let type: MetricType
        var series: [[Label]: any Series] = [:]
    }

    private struct State {
        var families: [String: Family] = [:]
        var leftOut = 0
        var collectors: [@Sendable () async -> Void] = []
    }

    private let state = Mutex(State())

    /// A registry of one's own, for `MetricsSystem.bootstrap`.
    public init(maxSeries: Int = 2000) { self.maxSeries = maxSeries }

    /// Whether a registry is the backend of swift-metrics. The first look makes the shared one the backend, unless there is
    /// one already.
    static let isBackend: Bool = {
        if MetricsSystem.factory is NOOPMetricsHandler { MetricsSystem.bootstrap(shared) }
        return MetricsSystem.factory is PrometheusRegistry
    }()

    /// Has `collect` called before the metrics are shown.
    func addCollector(_ collect: @escaping @Sendable () async -> Void) {
        state.withLock { $0.collectors.append(collect) }
    }

    /// All metrics as text, in the order of their names.
    public func text() async -> String {
        for collect in state.withLock({ $0.collectors }) { await collect() }
        var text = ""
        let (families, leftOut) = state.withLock { ($0.families, $0.leftOut) }
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) \(family.type.rawValue)\n"
            let sorted = family.series.sorted { one, other in
                one.key.lexicographicallyPrecedes(other.key) { ($0.name, $0.value) < ($1.name, $1.value) }
            }
            for (labels, series) in sorted { series.write(name, labels, to: &text) }
        }
        if leftOut > 0 {
            text += "# TYPE oneport_metrics_series_left_out_total counter\n"
            text += "oneport_metrics_series_left_out_total \(leftOut)\n"
        }
        return text
    }

    /// The series of a metric; a new one that is not shown if there are too many.
    private func series<Made: Series>(
        _ label: String, _ type: MetricType, suffix: String = "", _ dimensions: [(String, String)],
        _ make: () -> Made
    ) -> Made {
        let labels = dimensions.map { Label(name: MetricName.label($0.0), value: $0.1) }.sorted {
            $0.name < $1.name
        }
        return state.withLock { state in
            var name = MetricName.metric(label, suffix: suffix)
            // One name has one type.
            if let family = state.families[name], family.type != type { name += "_" + type.rawValue }
            var family = state.families[name] ?? Family(type: type)
            if let known = family.series[labels] as? Made { return known }
            let made = make()
            guard family.series.count < maxSeries, family.type == type else {
                state.leftOut += 1
                return made
            }
            family.series[labels] = made
            state.families[name] = family
            return made
        }
    }

    private func remove(_ series: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                state.families[name]?.series = family.series.filter { $0.value !== series }
            }
        }
    }
}

extension PrometheusRegistry: MetricsFactory {
    /// A counter; its name ends with `_total`.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, .counter, suffix: "_total", dimensions) { IntegerCounter() }
    }

    /// A counter of any numbers; its name ends with `_total`.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, .counter, suffix: "_total", dimensions) { FloatingPointCounter() }
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, .gauge, dimensions) { Gauge() }
    }

    /// A histogram if it aggregates, otherwise a gauge.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { return series(label, .histogram, dimensions) { Histogram(Histogram.sizes) } }
        return series(label, .gauge, dimensions) { Gauge() }
    }

    /// A histogram of seconds; its name ends with `_seconds`.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, .histogram, suffix: "_seconds", dimensions) { Histogram(Histogram.seconds) }
    }

    /// Shows the counter no more.
    public func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    /// Shows the counter no more.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    /// Shows the meter no more.
    public func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    /// Shows the recorder no more.
    public func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    /// Shows the timer no more.
    public func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}
