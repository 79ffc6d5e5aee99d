import Glibc

/// What tells one version of a file from another: its identity, size and times.
package struct FileStamp: Sendable, Equatable {
    /// A time of the file system, in nanoseconds.
    package struct Time: Sendable, Equatable {
        let seconds: Int64
        let nanoseconds: Int64
    }

    let device: UInt64
    let inode: UInt64
    /// The size in octets.
    package let size: Int64
    /// When the content changed; programs may set it.
    let modified: Time
    /// When content or attributes changed; nobody can set it, so it tells a replaced file whose times were kept.
    let changed: Time

    /// Whether a change behind this stamp would show in it. File systems give times by a coarse clock, so a file
    /// that changed within the second of its reading may change again and look the same.
    func isSettled(at now: HTTPDate) -> Bool {
        changed.seconds < now.secondsSinceEpoch && modified.seconds < now.secondsSinceEpoch
    }
}

/// An open regular file. Its descriptor is closed with the last reference.
package final class OpenFile: Sendable {
    /// The descriptor, open for reading.
    package let descriptor: CInt
    /// The file's stamp when it was opened.
    package let stamp: FileStamp

    init(descriptor: CInt, stamp: FileStamp) {
        self.descriptor = descriptor
        self.stamp = stamp
    }

    deinit {
        _ = close(descriptor)
    }

    /// Fills `target` from `offset` on; the count is smaller only where the file ends or cannot be read.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        var count = 0
        while count < target.count {
            let free = UnsafeMutableRawBufferPointer(rebasing: target[count...])
            let result = pread(descriptor, free.baseAddress, free.count, off_t(offset) + off_t(count))
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { break }
            count += result
        }
        return count
    }

    /// The stamp as it is now.
    func currentStamp() -> FileStamp? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? FileStamp(status) : nil
    }
}

extension FileStamp {
    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Time(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
        changed = Time(seconds: Int64(status.st_ctim.tv_sec), nanoseconds: Int64(status.st_ctim.tv_nsec))
    }
}
