#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Tells systemd how the service is (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names.
struct ServiceNotifier: Sendable {
    /// What is told.
    enum State: String {
        /// The service has started, and accepts connections.
        case ready = "READY=1"
        /// The service is shutting down.
        case stopping = "STOPPING=1"
        /// All event loops respond.
        case alive = "WATCHDOG=1"
    }

    /// The path; one that begins with a NUL is in the abstract namespace of Linux.
    private let path: [UInt8]
    /// How often systemd wants to hear that the service is alive; `nil` if it does not.
    let watchdogInterval: Duration?

    /// The notifier of this process; `nil` if nobody listens.
    init?(_ environment: [String: String], processID: Int32) {
        guard let name = environment["NOTIFY_SOCKET"], let start = name.utf8.first else { return nil }
        var path = Array(name.utf8)
        if start == UInt8(ascii: "@") { path[0] = 0 } else if start != UInt8(ascii: "/") { return nil }
        guard path.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else { return nil }
        self.path = path
        let isForOther = environment["WATCHDOG_PID"].map { Int32($0) != processID } ?? false
        let microseconds = environment["WATCHDOG_USEC"].flatMap(Int64.init) ?? 0
        watchdogInterval = isForOther || microseconds <= 0 ? nil : .microseconds(microseconds)
    }

    /// Sends a state. It does not block. If nobody receives it, nothing happens.
    func send(_ state: State) {
        #if canImport(Glibc)
            let kind = CInt(SOCK_DGRAM.rawValue)
        #else
            let kind = SOCK_DGRAM
        #endif
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // `init` has checked that it fits.
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        // A name in the abstract namespace has no end but the length, so the length is exact.
        let length = MemoryLayout.offset(of: \sockaddr_un.sun_path).map { $0 + path.count } ?? 0
        let text = Array(state.rawValue.utf8)
        // Every address begins as `sockaddr` does, and `length` is that of this one.
        _ = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, text, text.count, CInt(MSG_DONTWAIT), $0, socklen_t(length))
            }
        }
    }
}
