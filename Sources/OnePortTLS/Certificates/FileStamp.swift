#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What tells a file from the one that was there before: which file it is, its size and when it was written.
struct FileStamp: Equatable, Sendable {
    private let device: UInt64
    private let number: UInt64
    private let size: Int64
    private let seconds: Int64
    private let nanoseconds: Int64
    /// Whether everybody on this machine may read the file.
    let isReadableByOthers: Bool

    /// The file at `path`; `nil` if there is none. It may block.
    init?(path: String) {
        var facts = stat()
        guard stat(path, &facts) == 0 else { return nil }
        device = UInt64(facts.st_dev)
        number = UInt64(facts.st_ino)
        size = Int64(facts.st_size)
        #if canImport(Darwin)
            let written = facts.st_mtimespec
        #else
            let written = facts.st_mtim
        #endif
        seconds = Int64(written.tv_sec)
        nanoseconds = Int64(written.tv_nsec)
        isReadableByOthers = facts.st_mode & S_IROTH != 0
    }
}

/// Reads a file of at most `limit` bytes. It may block.
///
/// - Throws: `TLSError.unreadable`.
func readFile(_ path: String, limit: Int = 4 << 20) throws(TLSError) -> [UInt8] {
    func failure(_ number: CInt) -> TLSError {
        .unreadable(file: path, reason: String(cString: strerror(number)))
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        // read(2) writes no more than the buffer's length.
        let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw failure(errno) }
        guard count > 0 else { return bytes }
        bytes += chunk.prefix(count)
        guard bytes.count <= limit else {
            throw .unreadable(file: path, reason: "it has more than \(limit) bytes")
        }
    }
}
