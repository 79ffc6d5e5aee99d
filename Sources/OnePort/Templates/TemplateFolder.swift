import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The `*.mustache` files below a folder: found, told apart by their stamps, and read.
struct TemplateFolder: Sendable {
    /// What changes when a file is written again.
    struct Stamp: Sendable, Equatable {
        let seconds: Int
        let nanoseconds: Int
        let size: Int

        /// The stamp of the regular file at `path`, behind links; `nil` for anything else.
        init?(path: String) {
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
            #if canImport(Darwin)
                let modified = info.st_mtimespec
            #else
                let modified = info.st_mtim
            #endif
            seconds = Int(modified.tv_sec)
            nanoseconds = Int(modified.tv_nsec)
            size = Int(info.st_size)
        }
    }

    static let suffix = ".mustache"

    /// The absolute path, without a slash at its end.
    let path: String

    init(_ path: String) throws(TemplateError) {
        var absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        while absolute.count > 1, absolute.hasSuffix("/") { absolute.removeLast() }
        self.path = absolute
        guard exists else { throw .folderMissing(path: absolute) }
    }

    var exists: Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder
    }

    func file(_ name: String) -> String { path + "/" + name + Self.suffix }

    /// The templates by name, `folder/page` for those in folders, with their stamps. Hidden files are left out:
    /// editors keep copies in them.
    func stamps() throws(TemplateError) -> [String: Stamp] {
        let manager = FileManager.default
        // A link to the folder is not followed by the enumeration itself.
        let folder = (try? manager.destinationOfSymbolicLink(atPath: path)).map {
            $0.hasPrefix("/") ? $0 : path + "/../" + $0
        }
        guard let paths = try? manager.subpathsOfDirectory(atPath: folder ?? path) else {
            throw .folderMissing(path: path)
        }
        var stamps: [String: Stamp] = [:]
        for file in paths where file.hasSuffix(Self.suffix) && !file.hasPrefix(".") && !file.contains("/.") {
            // A file that is gone between the two calls is being replaced: the next look finds it.
            if let stamp = Stamp(path: path + "/" + file) {
                stamps[String(file.dropLast(Self.suffix.count))] = stamp
            }
        }
        return stamps
    }

    /// The text of a template.
    func read(_ name: String) throws(TemplateError) -> String {
        guard let data = FileManager.default.contents(atPath: file(name)) else {
            throw .unreadable(file: file(name))
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw .notUTF8(file: file(name)) }
        return text
    }
}
