import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file of a Unix domain socket that this process listens on.
///
/// All of its functions may block.
struct UnixSocketFile: Sendable {
    /// Which file it is, however its path is used later.
    private struct Identity: Equatable {
        let device: UInt64
        let number: UInt64

        /// The socket at `path`; `nil` if there is nothing.
        ///
        /// - Throws: `IOError`: EEXIST if it is no socket.
        init?(path: String) throws(IOError) {
            var facts = stat()
            guard lstat(path, &facts) == 0 else {
                if errno == ENOENT { return nil }
                throw IOError(errnoCode: errno, reason: "lstat")
            }
            guard facts.st_mode & S_IFMT == S_IFSOCK else { throw IOError(errnoCode: EEXIST, reason: "bind") }
            device = UInt64(facts.st_dev)
            number = UInt64(facts.st_ino)
        }
    }

    let path: String
    private let identity: Identity

    /// Makes a socket that is bound to `path` and listens.
    ///
    /// A file that nobody listens on is replaced. The mode is set before the socket listens, so nobody can connect with
    /// wider permissions. While this happens the folder is locked (flock), so that two servers that start at once do not
    /// replace each other's file.
    ///
    /// - Returns: The descriptor, which the caller owns, and the file.
    /// - Throws: `IOError`: EADDRINUSE if somebody listens there; EEXIST if the path belongs to something else.
    static func listen(
        at path: String, mode: UInt16?, backlog: CInt
    ) throws(IOError) -> (descriptor: CInt, file: UnixSocketFile) {
        let lock = lockFolder(of: path)
        defer { if lock >= 0 { close(lock) } }
        try removeStale(path)
        let descriptor = try makeSocket()
        var isBound = false
        do throws(IOError) {
            let refusal = withAddress(of: path) { bind(descriptor, $0, $1) }
            if refusal != 0 { throw IOError(errnoCode: refusal, reason: "bind") }
            isBound = true
            if let mode { try check(chmod(path, mode_t(mode)), "chmod") }
            guard let identity = try Identity(path: path) else {
                throw IOError(errnoCode: ENOENT, reason: "bind")
            }
            try check(listenOn(descriptor, backlog), "listen")
            return (descriptor, UnixSocketFile(path: path, identity: identity))
        } catch {
            if isBound { unlink(path) }
            close(descriptor)
            throw error
        }
    }

    /// Removes the file, unless another one has taken its place.
    func remove() {
        if (try? Identity(path: path)) == identity { unlink(path) }
    }

    /// Removes a file that nobody listens on.
    private static func removeStale(_ path: String) throws(IOError) {
        guard let found = try Identity(path: path) else { return }
        let probe = try makeSocket()
        defer { close(probe) }
        // A socket whose backlog is full says EAGAIN, since the probe does not wait: somebody listens.
        guard withAddress(of: path, { connect(probe, $0, $1) }) == ECONNREFUSED else {
            throw IOError(errnoCode: EADDRINUSE, reason: "bind")
        }
        if try Identity(path: path) == found { try check(unlink(path), "unlink") }
    }

    /// How often a locked folder is tried again, every 10 ms.
    private static let lockAttempts = 100

    /// Locks the folder of `path`; -1 if it cannot be locked, as where it may not be read.
    private static func lockFolder(of path: String) -> CInt {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return -1 }
        for _ in 0..<lockAttempts {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
            guard errno == EWOULDBLOCK || errno == EINTR else { break }
            usleep(10_000)
        }
        close(descriptor)
        return -1
    }

    /// A socket that does not block and is not passed to other programs.
    private static func makeSocket() throws(IOError) -> CInt {
        #if canImport(Glibc)
            let made = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        #else
            let made = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        try check(made, "socket")
        _ = fcntl(made, F_SETFD, FD_CLOEXEC)
        _ = fcntl(made, F_SETFL, O_NONBLOCK)
        return made
    }

    /// Calls `body` with the socket address of `path`, and returns 0 or the error number.
    private static func withAddress(
        of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        guard let address = try? SocketAddress(unixDomainSocketPath: path) else {
            return ENAMETOOLONG
        }
        return address.withSockAddr { body($0, socklen_t($1)) == 0 ? 0 : errno }
    }

    private static func check(_ result: CInt, _ call: String) throws(IOError) {
        if result < 0 { throw IOError(errnoCode: errno, reason: call) }
    }
}

/// listen(2), which the functions of that name here hide.
private func listenOn(_ descriptor: CInt, _ backlog: CInt) -> CInt { listen(descriptor, backlog) }
