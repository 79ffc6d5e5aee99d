#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that only its owner may read and write (0600).
enum PrivateFile {
    /// Creates the file with these permissions, or changes the permissions of an existing file. A new file is never
    /// accessible to others, whatever the umask is.
    static func prepare(_ path: String) throws(PrivateFileError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR)
        guard descriptor >= 0 else { throw PrivateFileError(path: path, errno: errno) }
        defer { close(descriptor) }
        try tighten(descriptor, path)
    }

    /// Changes the permissions of a file if it exists.
    static func tightenExisting(_ path: String) throws(PrivateFileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw PrivateFileError(path: path, errno: errno) }
            return
        }
        defer { close(descriptor) }
        try tighten(descriptor, path)
    }

    private static func tighten(_ descriptor: CInt, _ path: String) throws(PrivateFileError) {
        guard fchmod(descriptor, S_IRUSR | S_IWUSR) == 0 else {
            throw PrivateFileError(path: path, errno: errno)
        }
    }
}

/// A file could not be created, or its permissions could not be set to 0600.
struct PrivateFileError: Error, CustomStringConvertible {
    let path: String
    let errno: CInt

    var description: String {
        "\(String(cString: strerror(errno))) (the file must be writable, and readable by its owner only)"
    }
}
