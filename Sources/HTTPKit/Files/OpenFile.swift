#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What tells one version of a file from another: its identity, size and times.
package struct FileStamp: Sendable, Hashable {
    /// A time of the file system, in nanoseconds.
    package struct Time: Sendable, Hashable {
        let seconds: Int64
        let nanoseconds: Int64

        init(seconds: Int64, nanoseconds: Int64) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        init(_ time: timespec) {
            self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
        }
    }

    let device: UInt64
    let inode: UInt64
    /// The size in octets.
    package let size: Int64
    /// When the content changed; programs may set it.
    let modified: Time
    /// When content or attributes changed; nobody can set it, so it tells a replaced file whose times were kept.
    let changed: Time

    /// Whether a later change of the file would show in its stamp.
    ///
    /// File systems take their times from a coarse clock: a file that changed just before it was read may change again
    /// and keep its stamp. So what was read of it counts for that one request, as git has it for its index.
    ///
    /// - Parameter now: a time before the file was opened, of the clock that file systems use.
    func isSettled(at now: HTTPDate) -> Bool {
        let second = now.secondsSinceEpoch
        // A time in the future was set by a program; a change replaces it.
        return changed.isBefore(second) && (modified.isBefore(second) || modified.seconds > second + 1)
    }

    /// Whether the modification time tells anything. Tools that build reproducible images, packages and archives set it
    /// to a constant: 0 or 1 (Nix, Docker), 1980 (zip), 1985 (npm). Two versions of a file then have the same time.
    var hasMeaningfulTime: Bool { modified.seconds >= FileStamp.firstMeaningfulSecond }

    /// 1990-01-01: there was no web before.
    private static let firstMeaningfulSecond: Int64 = 631_152_000
}

extension FileStamp.Time {
    /// Whether every change in `second` or later gets another time. Times without nanoseconds may come from a file
    /// system that counts seconds, or every other second (FAT).
    fileprivate func isBefore(_ second: Int64) -> Bool {
        seconds + (nanoseconds == 0 ? 2 : 1) <= second
    }
}

/// Where a file is, as the system is asked for it: an absolute path, ended by NUL.
struct FileLocation: Sendable {
    private let path: ContiguousArray<CChar>

    init(_ path: String) { self.path = path.utf8CString }

    /// The stamp of the file that is there now, symbolic links followed; `nil` when there is none. It costs one system
    /// call and reads nothing.
    var stamp: FileStamp? {
        var status = stat()
        let result = path.withUnsafeBufferPointer { path in
            path.baseAddress.map { stat($0, &status) } ?? -1
        }
        return result == 0 ? FileStamp(status) : nil
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

    /// Waits until the system has the beginning of a stretch in memory, so that an event loop that sends it does not wait
    /// for the disk. What is in memory already costs a few microseconds.
    func prepare(offset: Int64, length: Int64) {
        let end = offset + min(length, OpenFile.maxPrepared)
        #if os(Linux)
            _ = posix_fadvise(descriptor, off_t(offset), off_t(end - offset), POSIX_FADV_WILLNEED)
        #endif
        var byte: UInt8 = 0
        for place in stride(from: offset, to: end, by: OpenFile.prepareStep) {
            _ = pread(descriptor, &byte, 1, off_t(place))
        }
    }

    /// How much of a stretch is waited for, in bytes. Behind it the system reads ahead of what is sent.
    private static let maxPrepared: Int64 = 1 << 20
    private static let prepareStep = 64 << 10

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
        #if canImport(Darwin)
            modified = Time(status.st_mtimespec)
            changed = Time(status.st_ctimespec)
        #else
            modified = Time(status.st_mtim)
            changed = Time(status.st_ctim)
        #endif
    }
}
