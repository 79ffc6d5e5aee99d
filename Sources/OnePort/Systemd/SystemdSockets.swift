import HTTPKit

/// The sockets that systemd has bound and passes to this process (sd_listen_fds(3)).
enum SystemdSockets {
    /// The first descriptor that is passed.
    static let first: CInt = 3
    /// The most that are looked at.
    static let maxCount = 1024

    /// The listeners for the passed sockets, in order. There are none if LISTEN_PID names another process.
    ///
    /// A socket whose name (LISTEN_FDNAMES, `FileDescriptorName=` of the socket unit) is `tls` or `https`, or begins with
    /// `tls-`, speaks TLS.
    static func listeners(_ environment: [String: String], processID: Int32) -> [HTTPListener] {
        guard environment["LISTEN_PID"].flatMap(Int32.init) == processID,
            let count = environment["LISTEN_FDS"].flatMap(Int.init), (1...maxCount).contains(count)
        else { return [] }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        return (0..<count).map { index in
            let name = index < names.count ? names[index] : ""
            let usesTLS = name == "tls" || name == "https" || name.hasPrefix("tls-")
            return HTTPListener(.inherited(descriptor: first + CInt(index)), usesTLS: usesTLS)
        }
    }
}
