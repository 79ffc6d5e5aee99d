import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension BindError {
    /// What the user of an application can do: the settings that choose another address.
    var advice: String? {
        guard case .hostname = address else { return "; choose another address with --listen" }
        return switch errorNumber {
        case EADDRINUSE, EACCES: "; choose another one with --port or --listen"
        case EADDRNOTAVAIL: "; choose another one with --host or --listen"
        case nil: "; choose another host with --host or --listen"
        default: nil
        }
    }
}
