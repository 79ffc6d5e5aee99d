#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where the chat is shown.
enum StandardOutput {
    /// Writes a line, whole and at once even into a pipe.
    ///
    /// Not through the C library's buffers: to flush them all waits for standard input too, which is locked for
    /// as long as ``StandardInput`` waits for somebody to type.
    static func show(_ line: String) {
        var bytes = Array((line + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }
}
