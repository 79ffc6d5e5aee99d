import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A server cannot listen on an address.
public struct BindError: Error, CustomStringConvertible {
    /// The address that was asked for.
    public let address: BindAddress
    /// What went wrong: an `IOError`, or another error of the transport.
    public let underlying: any Error

    package init(address: BindAddress, underlying: any Error) {
        self.address = address
        self.underlying = underlying
    }

    /// The error number of the system (errno), if the system has refused.
    public var errorNumber: CInt? { (underlying as? IOError)?.errnoCode }

    /// The address and the reason.
    public var description: String { "cannot listen on \(address): \(reason)" }

    private var reason: String {
        guard let number = errorNumber else { return "\(underlying)" }
        let text = String(cString: strerror(number))
        return hint(number).map { "\(text): \($0)" } ?? text
    }

    private func hint(_ number: CInt) -> String? {
        switch (number, address) {
        case (EADDRINUSE, .unix): "another program listens there"
        case (EADDRINUSE, _): "another program has this port"
        case (EADDRNOTAVAIL, _): "this machine has no such address"
        case (EACCES, .hostname): "ports below 1024 are for privileged programs"
        case (EACCES, .unix): "the folder of the socket is not writable"
        case (ENOENT, .unix): "the folder of the socket does not exist"
        case (EEXIST, .unix): "there is a file that is not a socket"
        case (ENOTSOCK, _), (EBADF, _): "no stream socket was passed with this number"
        default: nil
        }
    }
}
