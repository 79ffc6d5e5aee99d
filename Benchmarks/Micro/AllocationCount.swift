#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The calls of malloc and its kin so far, from the counting library this program is started under.
///
/// `Benchmarks/micro.sh` preloads `Load/allocations.c`, which counts; without it there is nothing to ask.
enum AllocationCount {
    /// Where the library keeps the count, if it is there.
    nonisolated(unsafe) private static let counter: UnsafePointer<UInt64>? = {
        // Null is RTLD_DEFAULT: any library of the process.
        guard let symbol = dlsym(nil, "allocation_counters") else { return nil }
        let function = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafePointer<UInt64>).self)
        return function()
    }()

    /// Whether allocations are counted in this process.
    static var isCounting: Bool { counter != nil }

    /// Allocations since the start of the process; 0 when they are not counted.
    static var now: UInt64 { counter?.pointee ?? 0 }
}

/// Monotonic nanoseconds.
func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
