import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A descriptor that another process has passed.
enum PassedSocket {
    /// Checks that a descriptor is a stream socket that is not connected, and keeps it from programs that this one starts.
    ///
    /// - Throws: `IOError`: EBADF, ENOTSOCK, or EISCONN for a connection.
    static func check(_ descriptor: CInt) throws(IOError) {
        var kind: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &length) == 0 else {
            throw IOError(errnoCode: errno, reason: "getsockopt")
        }
        #if canImport(Glibc)
            let stream = CInt(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        guard kind == stream else { throw IOError(errnoCode: ENOTSOCK, reason: "getsockopt") }
        var peer = sockaddr_storage()
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isConnected = withUnsafeMutableBytes(of: &peer) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) {
                getpeername(descriptor, $0.baseAddress, &length) == 0
            }
        }
        if isConnected { throw IOError(errnoCode: EISCONN, reason: "listen") }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    /// Lets the kernel hold `backlog` connections until they are accepted.
    static func setBacklog(_ backlog: CInt, of descriptor: CInt) { _ = listen(descriptor, backlog) }
}
