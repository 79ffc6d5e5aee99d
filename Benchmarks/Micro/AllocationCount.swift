#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The number of calls of malloc and similar functions, from the preloaded counting library.
///
/// `Benchmarks/micro.sh` preloads `Load/allocations.c`, which counts. Without it, there is no count.
enum AllocationCount {
    /// The library's counter, if the library is loaded.
    nonisolated(unsafe) private static let counter: UnsafePointer<UInt64>? = {
        // Null is RTLD_DEFAULT: any library of the process.
        guard let symbol = dlsym(nil, "allocation_counters") else { return nil }
        let function = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafePointer<UInt64>).self)
        return function()
    }()

    /// Whether allocations are counted in this process.
    static var isCounting: Bool { counter != nil }

    /// Allocations since the start of the process, or 0 if they are not counted.
    static var now: UInt64 { counter?.pointee ?? 0 }
}

/// Monotonic nanoseconds.
func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
