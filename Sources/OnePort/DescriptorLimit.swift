#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How many files and sockets the process may have open.
enum DescriptorLimit {
    /// Raises the soft limit, often 1024, to the hard limit. Each connection needs a descriptor. The low default exists
    /// for `select`, which a server does not use.
    ///
    /// - Returns: The current limit, or `nil` if the system does not report it.
    @discardableResult
    static func raise() -> Int? {
        var limits = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limits) == 0 else { return nil }
        if limits.rlim_cur < limits.rlim_max {
            var raised = limits
            raised.rlim_cur = limits.rlim_max
            if setrlimit(resource, &raised) == 0 { limits = raised }
        }
        return Int(clamping: limits.rlim_cur)
    }

    /// How many connections fit into `descriptors`, with a reserve for the event loops, open files and connections that are
    /// being rejected.
    static func connections(within descriptors: Int, threads: Int) -> Int {
        max(1, descriptors - min(descriptors / 4, 256) - 4 * threads)
    }
}
