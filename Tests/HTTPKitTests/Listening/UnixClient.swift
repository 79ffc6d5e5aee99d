import NIOCore

@testable import HTTPKit

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A stream socket over the file system.
enum UnixSocket {
    static func make() -> CInt {
        #if canImport(Glibc)
            socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        #else
            socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
    }

    /// The error number of a call with the address of `path`; 0 for success.
    static func call(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws -> CInt {
        try SocketAddress(unixDomainSocketPath: path).withSockAddr {
            body($0, socklen_t($1)) == 0 ? 0 : errno
        }
    }

    /// Makes a socket file that nobody listens on, as a process that was killed leaves it.
    static func leaveStale(_ path: String) throws -> Bool {
        let made = make()
        defer { close(made) }
        return try call(path) { bind(made, $0, $1) } == 0
    }

    /// Sends a request to `path`, and returns what comes until the server closes.
    static func request(_ path: String, _ text: String) throws -> (error: CInt, response: String) {
        let made = make()
        defer { close(made) }
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(made, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let error = try call(path) { connect(made, $0, $1) }
        guard error == 0 else { return (error, "") }
        let bytes = Array(text.utf8)
        guard write(made, bytes, bytes.count) == bytes.count else { return (errno, "") }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(made, &buffer, buffer.count)
            guard count > 0 else { return (count < 0 ? errno : 0, String(decoding: all, as: UTF8.self)) }
            all += buffer[..<count]
        }
    }

    /// Permissions and kind of a file; `nil` if there is none.
    static func mode(_ path: String) -> mode_t? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? facts.st_mode : nil
    }
}
