/// One thing that is measured: what is set up once, and what is done `count` times.
struct Workload: Sendable {
    /// The name on the command line and in `allocations.json`.
    let name: String
    /// Octets that one operation passes over, for a figure of octets per nanosecond; 0 if that says nothing.
    let octets: Int
    /// Sets up and returns the loop, which is called with the number of operations.
    let prepare: @Sendable () throws -> (Int) throws -> Void

    init(_ name: String, octets: Int = 0, prepare: @escaping @Sendable () throws -> (Int) throws -> Void) {
        self.name = name
        self.octets = octets
        self.prepare = prepare
    }
}

/// What a workload that does not do its work ends with.
struct WrongResult: Error, CustomStringConvertible {
    let description: String
}

/// Takes a value and lets nothing be known about what becomes of it, so that computing it is not optimized away.
@inline(never)
@_optimize(none)
func use<Value>(_ value: borrowing Value) {}
