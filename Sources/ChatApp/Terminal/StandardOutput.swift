#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The output of the chat.
enum StandardOutput {
    /// Writes a whole line immediately, even into a pipe.
    ///
    /// It does not use the C library's buffers: flushing all of them also waits for the lock of standard input, which
    /// ``StandardInput`` holds while it waits for a line.
    static func show(_ line: String) {
        var bytes = Array((line + "\n").utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            bytes = bytes.dropFirst(max(0, count))
        }
    }
}
