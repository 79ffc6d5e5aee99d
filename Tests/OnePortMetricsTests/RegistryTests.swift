import CoreMetrics
import Testing

@testable import OnePortMetrics

@Suite("Prometheus' text format")
struct RegistryTests {
    private let registry = PrometheusRegistry()

    @Test("each kind of metric has its type, its name and its lines")
    func kinds() async {
        Counter(label: "a.requests", dimensions: [("b", "x"), ("a", "y")], factory: registry).increment(by: 3)
        FloatingPointCounter(label: "a.bytes", factory: registry).increment(by: 1.5)
        Meter(label: "a.open", factory: registry).set(7)
        Gauge(label: "a.gauge", factory: registry).record(-0.5)
        let timer = CoreMetrics.Timer(label: "a.time", factory: registry)
        timer.recordNanoseconds(5_000_000)
        timer.recordNanoseconds(60_000_000_000)
        let text = await registry.text()
        let lines = text.split(separator: "\n").map(String.init)
        #expect(
            lines.filter { !$0.contains("_bucket") } == [
                "# TYPE a_bytes_total counter", "a_bytes_total 1.5",
                "# TYPE a_gauge gauge", "a_gauge -0.5",
                "# TYPE a_open gauge", "a_open 7",
                "# TYPE a_requests_total counter", #"a_requests_total{a="y",b="x"} 3"#,
                "# TYPE a_time_seconds histogram", "a_time_seconds_sum 60.005", "a_time_seconds_count 2",
            ])
        let buckets = lines.filter { $0.contains("_bucket") }
        #expect(buckets.count == Histogram.seconds.count + 1)
        #expect(buckets.first == #"a_time_seconds_bucket{le="0.005"} 1"#)
        #expect(
            buckets.suffix(2) == [
                #"a_time_seconds_bucket{le="10"} 1"#, #"a_time_seconds_bucket{le="+Inf"} 2"#,
            ])
        #expect(text.hasSuffix("\n"))
    }

    @Test("the same label and dimensions are one series")
    func same() async {
        for _ in 0..<3 {
            Counter(label: "c", dimensions: [("x", "1")], factory: registry).increment()
            Counter(label: "c", dimensions: [("x", "2")], factory: registry).increment()
        }
        let text = await registry.text()
        #expect(text == "# TYPE c_total counter\nc_total{x=\"1\"} 3\nc_total{x=\"2\"} 3\n")
    }

    @Test(
        "names have only the characters that they may have",
        arguments: [
            ("http.server", "http_server"), ("9lives", "_9lives"), ("a:b", "a:b"), ("", "_"), ("ä", "__"),
            ("a b\nc", "a_b_c"), ("x_total", "x_total"),
        ])
    func names(label: String, name: String) {
        #expect(MetricName.metric(label) == name)
    }

    @Test("a suffix comes once")
    func suffix() {
        #expect(MetricName.metric("x_total", suffix: "_total") == "x_total")
        #expect(MetricName.metric("x", suffix: "_total") == "x_total")
    }

    @Test("values of labels are escaped, and labels have no colon and no reserved name")
    func labels() async {
        Counter(label: "c", dimensions: [("a:b", "\\ \" \n ü"), ("le", "1")], factory: registry).increment()
        let text = await registry.text()
        #expect(text.contains(#"c_total{a_b="\\ \" \n ü",le_="1"} 1"#))
    }

    @Test(
        "numbers are written as the format has them",
        arguments: [
            (0, "0"), (1e3, "1000"), (-2, "-2"), (0.1, "0.1"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
            (.nan, "NaN"),
            (1e300, "1e+300"), (1e15, "1000000000000000.0"),
        ])
    func numbers(value: Double, text: String) {
        #expect(MetricName.text(value) == text)
    }

    @Test("invalid amounts change nothing, and counters do not overflow")
    func odd() async {
        let counter = Counter(label: "c", factory: registry)
        counter.increment(by: -5)
        counter.increment(by: Int64.max)
        counter.increment(by: 5)
        let other = FloatingPointCounter(label: "f", factory: registry)
        for value in [-1, Double.nan, .infinity, 2] { other.increment(by: value) }
        Recorder(label: "r", aggregate: true, factory: registry).record(Double.nan)
        let text = await registry.text()
        #expect(
            text.contains("c_total \(Int64.max)\n") && text.contains("f_total 2\n")
                && text.contains("r_count 0\n"))
    }

    @Test("one name with two types is two metrics")
    func clash() async {
        Counter(label: "x", factory: registry).increment()
        Meter(label: "x_total", factory: registry).set(4)
        let text = await registry.text()
        #expect(text == "# TYPE x_total counter\nx_total 1\n# TYPE x_total_gauge gauge\nx_total_gauge 4\n")
    }

    @Test("a metric has a bounded number of series, and what is left out is counted")
    func bound() async {
        let registry = PrometheusRegistry(maxSeries: 10)
        for number in 0..<25 {
            Counter(label: "c", dimensions: [("n", "\(number)")], factory: registry).increment()
        }
        let lines = await registry.text().split(separator: "\n")
        #expect(lines.filter { $0.hasPrefix("c_total{") }.count == 10)
        #expect(lines.last == "oneport_metrics_series_left_out_total 15")
    }

    @Test("a destroyed metric is not shown")
    func destroyed() async {
        let counter = Counter(label: "c", dimensions: [("n", "1")], factory: registry)
        let other = Counter(label: "c", dimensions: [("n", "2")], factory: registry)
        counter.increment()
        other.increment()
        counter.destroy()
        let text = await registry.text()
        #expect(text == "# TYPE c_total counter\nc_total{n=\"2\"} 1\n")
    }
}
