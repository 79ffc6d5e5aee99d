/// A measured workload: it is set up once and then run a number of times.
struct Workload: Sendable {
    /// The name on the command line and in `allocations.json`.
    let name: String
    /// The number of bytes that one operation processes, for bytes per nanosecond, or 0 if that is not meaningful.
    let bytes: Int
    /// Sets up the workload and returns the loop, which takes the number of operations.
    let prepare: @Sendable () throws -> (Int) throws -> Void

    init(_ name: String, bytes: Int = 0, prepare: @escaping @Sendable () throws -> (Int) throws -> Void) {
        self.name = name
        self.bytes = bytes
        self.prepare = prepare
    }
}

/// The error of a workload with a wrong result.
struct WrongResult: Error, CustomStringConvertible {
    let description: String
}

/// Consumes a value in a way that the optimizer cannot see, so that computing it is not optimized away.
@inline(never)
@_optimize(none)
func use<Value>(_ value: borrowing Value) {}
