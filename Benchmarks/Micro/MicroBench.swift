import FoundationEssentials

/// Runs named workloads of the protocol cores and prints nanoseconds and allocations per operation.
///
/// `--only a,b` selects workloads, and `--list` lists them. `--check FILE` fails if a workload allocates more than the
/// file allows. `--operations N` runs each exactly N times and prints nothing, for callgrind.
@main
struct MicroBench {
    static let workloads =
        HTTPWorkloads.all + SocketWorkloads.all + CompressionWorkloads.all + ConnectionWorkloads.all

    static func main() throws {
        let options = try Options(CommandLine.arguments.dropFirst())
        let chosen = workloads.filter { options.only.isEmpty || options.only.contains($0.name) }
        guard !chosen.isEmpty else { throw WrongResult(description: "no such workload") }
        if options.list {
            for workload in chosen { print(workload.name) }
        } else if let operations = options.operations {
            for workload in chosen { try workload.prepare()(operations) }
        } else {
            let results = try chosen.map { try measure($0) }
            report(results)
            if let file = options.check { try check(results, against: file, all: options.only.isEmpty) }
        }
    }

    struct Result {
        let workload: Workload
        let nanoseconds: Double
        let allocations: Double
    }

    /// The best time of several rounds, and the allocations of the last one, when everything is warm.
    static func measure(_ workload: Workload) throws -> Result {
        let run = try workload.prepare()
        var operations = 16
        while true {
            let start = nanoseconds()
            try run(operations)
            if nanoseconds() - start > 20_000_000 || operations >= 1 << 24 { break }
            operations *= 2
        }
        var best = Double.infinity
        var allocations = 0.0
        for _ in 0..<8 {
            let allocated = AllocationCount.now
            let start = nanoseconds()
            try run(operations)
            best = min(best, Double(nanoseconds() - start) / Double(operations))
            allocations = Double(AllocationCount.now - allocated) / Double(operations)
        }
        return Result(workload: workload, nanoseconds: best, allocations: allocations)
    }

    static func report(_ results: [Result]) {
        print("| workload | ns per operation | bytes per ns | allocations per operation |")
        print("| --- | --- | --- | --- |")
        for result in results {
            let rate =
                result.workload.bytes > 0
                ? decimals(Double(result.workload.bytes) / result.nanoseconds) : ""
            let allocations = AllocationCount.isCounting ? decimals(result.allocations) : "not counted"
            print("| \(result.workload.name) | \(decimals(result.nanoseconds)) | \(rate) | \(allocations) |")
        }
    }

    /// Checks the allocations, which do not depend on the machine. Each workload must have a limit and not exceed it.
    static func check(_ results: [Result], against file: String, all: Bool) throws {
        guard AllocationCount.isCounting else {
            throw WrongResult(description: "allocations are not counted; run Benchmarks/micro.sh")
        }
        let data = try Data(contentsOf: URL(filePath: file))
        let allowed = try JSONDecoder().decode([String: Double].self, from: data)
        var faults: [String] = []
        for result in results {
            let name = result.workload.name
            guard let limit = allowed[name] else {
                faults.append("\(name): no threshold")
                continue
            }
            // A growing table may add a single allocation to thousands of operations.
            if result.allocations > limit + 0.01 {
                faults.append(
                    "\(name): \(decimals(result.allocations)) allocations, \(decimals(limit)) allowed")
            }
        }
        if all {
            let known = Set(results.map(\.workload.name))
            faults += allowed.keys.filter { !known.contains($0) }.sorted().map { "\($0): no such workload" }
        }
        guard faults.isEmpty else { throw WrongResult(description: faults.joined(separator: "\n")) }
        print("allocations are within \(file)")
    }

    private static func decimals(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}

/// The command line.
struct Options {
    var only: Set<String> = []
    var list = false
    var check: String?
    var operations: Int?

    init(_ arguments: ArraySlice<String>) throws {
        var rest = arguments
        while let argument = rest.popFirst() {
            switch argument {
            case "--list": list = true
            case "--only": only = Set((rest.popFirst() ?? "").split(separator: ",").map(String.init))
            case "--check": check = rest.popFirst()
            case "--operations": operations = rest.popFirst().flatMap { Int($0) }
            default: throw WrongResult(description: "unknown option \(argument)")
            }
        }
    }
}
