#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A folder out of which no path leads, whatever symbolic links it holds.
///
/// The kernel keeps the walk below the folder (openat2 with RESOLVE_BENEATH). Where it cannot, or where a link is
/// absolute, the file is found without being opened, and opened only if its real path lies below the folder's.
final class RootFolder: Sendable {
    enum Opened {
        case file(OpenFile)
        /// A folder, open for reading its entries.
        case folder(OpenFile)
        /// Nothing there that may be served.
        case missing
        /// There may be something, but the process has no descriptors or memory left.
        case unavailable
    }

    private let descriptor: CInt

    #if os(Linux)
        /// O_PATH of Linux, the same on every architecture; the C library shows it to GNU sources only. What is opened
        /// with it can be asked about but not read.
        private static let pathOnly: CInt = 0o10_000_000
    #else
        /// Without O_PATH a file is opened for reading, and never waited for, before it is checked.
        private static let pathOnly = O_RDONLY | O_NONBLOCK | O_NOCTTY
    #endif

    /// Opens the folder; `nil` when there is none.
    init?(path: String) {
        descriptor = openFile(path, RootFolder.pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
    }

    deinit {
        if descriptor >= 0 { _ = close(descriptor) }
    }

    /// Opens a regular file or a folder. A pipe or a device is missing, and is not waited for.
    func open(_ relativePath: String) -> Opened {
        let found = openBeneath(relativePath)
        guard found >= 0 else {
            switch errno {
            case EMFILE, ENFILE, ENOMEM: return .unavailable
            default: return .missing
            }
        }
        var status = stat()
        guard fstat(found, &status) == 0 else {
            _ = close(found)
            return .missing
        }
        let file = OpenFile(descriptor: found, stamp: FileStamp(status))
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(file)
        case S_IFDIR: return .folder(file)
        default: return .missing
        }
    }

    private static let readFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC

    private func openBeneath(_ relativePath: String) -> CInt {
        let found = OpenAt2.open(descriptor, relativePath, flags: RootFolder.readFlags)
        guard found < 0 else { return found }
        switch errno {
        // EAGAIN: a folder on the way was moved meanwhile, and the kernel would not vouch for it.
        case ENOSYS, EPERM, EXDEV, EINVAL, EAGAIN: return openChecked(relativePath)
        default: return found
        }
    }

    private func openChecked(_ relativePath: String) -> CInt {
        let place = openat(descriptor, relativePath, RootFolder.pathOnly | O_CLOEXEC)
        guard place >= 0 else { return -1 }
        defer { _ = close(place) }
        guard let root = RootFolder.realPath(of: descriptor), let real = RootFolder.realPath(of: place),
            real == root || root == "/" || real.hasPrefix(root + "/")
        else {
            errno = EXDEV
            return -1
        }
        // What was checked is what is opened: the way leads through the descriptor and not through the path.
        var status = stat()
        guard fstat(place, &status) == 0, [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) else {
            errno = ENOENT
            return -1
        }
        #if os(Linux)
            return openFile("/proc/self/fd/\(place)", RootFolder.readFlags)
        #else
            return fcntl(place, F_DUPFD_CLOEXEC, 0)
        #endif
    }

    private static func realPath(of descriptor: CInt) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { target in
            guard let start = target.baseAddress else { return nil }
            #if os(Linux)
                let length = readlink("/proc/self/fd/\(descriptor)", start, target.count)
            #else
                // PATH_MAX is what F_GETPATH asks for, with the NUL at the end.
                let length = fcntl(descriptor, F_GETPATH, start) == 0 ? strlen(start) : 0
            #endif
            guard length > 0, length < target.count else { return nil }
            return String(validating: target[..<length].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

/// open(2), which `RootFolder` has a method of the same name as.
private func openFile(_ path: String, _ flags: CInt) -> CInt { open(path, flags) }

/// openat2(2) of Linux, which the C library does not wrap. Elsewhere it fails with ENOSYS.
private enum OpenAt2 {
    private struct How {
        var flags: UInt64
        var mode: UInt64 = 0
        var resolve: UInt64
    }

    private static let number: Int = 437  // the same on every architecture
    private static let noMagicLinks: UInt64 = 0x02
    private static let beneath: UInt64 = 0x08

    private typealias SystemCall =
        @convention(c) (
            Int, CInt, UnsafePointer<CChar>, UnsafeRawPointer, Int
        ) -> Int

    /// `syscall` is variadic in C, which Swift does not import. Safe: on Linux its integer arguments are passed
    /// as those of any function.
    private static let systemCall: SystemCall? = {
        #if os(Linux)
            dlsym(nil, "syscall").map { unsafeBitCast($0, to: SystemCall.self) }
        #else
            nil
        #endif
    }()

    static func open(_ folder: CInt, _ path: String, flags: CInt) -> CInt {
        guard let systemCall else {
            errno = ENOSYS
            return -1
        }
        var how = How(flags: UInt64(UInt32(bitPattern: flags)), resolve: beneath | noMagicLinks)
        return path.withCString {
            CInt(truncatingIfNeeded: systemCall(number, folder, $0, &how, MemoryLayout<How>.size))
        }
    }
}
