import NIOCore
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder of its own for one test, removed with the last reference.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/files-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        path = try #require(made)
    }

    deinit {
        TemporaryFolder.remove(path)
    }

    /// Removes a file or a whole folder; links are removed and not followed.
    private static func remove(_ path: String) {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, let stream = opendir(path) {
            var names: [String] = []
            while let entry = readdir(stream) {
                names.append(
                    withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                    })
            }
            closedir(stream)
            for name in names where name != "." && name != ".." { remove(path + "/" + name) }
        }
        _ = removeFile(path)
    }

    func write(_ name: String, _ text: String) throws {
        try write(name, Array(text.utf8))
    }

    /// Writes a file, making the folders that its name needs.
    func write(_ name: String, _ bytes: [UInt8]) throws {
        for (index, character) in name.enumerated() where character == "/" {
            _ = mkdir("\(path)/\(name.prefix(index))", 0o755)
        }
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { writeBytes(descriptor, $0.baseAddress, $0.count) }
            try #require(count > 0)
            rest = rest.dropFirst(count)
        }
    }

    /// Sets the modification time, in nanoseconds since the epoch.
    func setModified(_ name: String, seconds: Int, nanoseconds: Int = 0) throws {
        let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
        let times = [time, time]
        try #require(utimensat(AT_FDCWD, "\(path)/\(name)", times, 0) == 0)
    }

    func link(_ name: String, to target: String) throws {
        try #require(symlink(target, "\(path)/\(name)") == 0)
    }

    func delete(_ name: String) throws {
        try #require(unlink("\(path)/\(name)") == 0)
    }

    func rename(_ name: String, to other: String) throws {
        try #require(renameFile("\(path)/\(name)", "\(path)/\(other)") == 0)
    }
}

// The C library's functions by other names, since the folder has methods of theirs.
private func removeFile(_ path: String) -> CInt { remove(path) }
private func renameFile(_ path: String, _ other: String) -> CInt { rename(path, other) }
private func writeBytes(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
