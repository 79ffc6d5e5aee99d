import CoreMetrics
import Synchronization

/// A type of Prometheus' text format.
enum MetricType: String, Sendable {
    case counter, gauge, histogram
}

/// A label and its value.
struct Label: Hashable, Sendable {
    let name: String
    let value: String
}

/// One line, or the lines of one histogram.
protocol Series: AnyObject, Sendable {
    func write(_ name: String, _ labels: [Label], to text: inout String)
}

/// A counter of whole numbers, which stays at the largest one.
final class IntegerCounter: Series, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        var known = value.load(ordering: .relaxed)
        while true {
            let (sum, overflow) = known.addingReportingOverflow(amount)
            let (done, original) = value.compareExchange(
                expected: known, desired: overflow ? .max : sum, ordering: .relaxed)
            if done { return }
            known = original
        }
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(_ name: String, _ labels: [Label], to text: inout String) {
        text += "\(name)\(MetricName.text(labels)) \(value.load(ordering: .relaxed))\n"
    }
}

/// A counter of any numbers.
final class FloatingPointCounter: Series, FloatingPointCounterHandler {
    private let value = Mutex(0.0)

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.withLock { $0 += amount }
    }

    func reset() { value.withLock { $0 = 0 } }

    func write(_ name: String, _ labels: [Label], to text: inout String) {
        text += "\(name)\(MetricName.text(labels)) \(MetricName.text(value.withLock { $0 }))\n"
    }
}

/// A value that goes up and down.
final class Gauge: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func write(_ name: String, _ labels: [Label], to text: inout String) {
        text += "\(name)\(MetricName.text(labels)) \(MetricName.text(value.withLock { $0 }))\n"
    }
}

/// How often values were at most each of some bounds.
final class Histogram: Series, TimerHandler, RecorderHandler {
    /// For times: OpenTelemetry's bounds for HTTP.
    static let seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    /// For other values.
    static let sizes = [1.0, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]

    private struct State {
        var counts: [Int]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(_ bounds: [Double]) {
        self.bounds = bounds
        // The last one is for what is above all bounds.
        state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }

    func write(_ name: String, _ labels: [Label], to text: inout String) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var total = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? MetricName.text(bounds[index]) : "+Inf"
            text += "\(name)_bucket\(MetricName.text(labels + [Label(name: "le", value: bound)])) \(total)\n"
        }
        text += "\(name)_sum\(MetricName.text(labels)) \(MetricName.text(sum))\n"
        text += "\(name)_count\(MetricName.text(labels)) \(total)\n"
    }
}
