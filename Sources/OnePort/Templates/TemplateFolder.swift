import FoundationEssentials

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Finds and reads the `*.mustache` files in a folder and its subfolders.
struct TemplateFolder: Sendable {
    /// Attributes of a file that change when it is written.
    struct Stamp: Sendable, Equatable {
        let seconds: Int
        let nanoseconds: Int
        let size: Int

        /// The stamp of the regular file at `path`, or `nil` if it is not one. Follows links.
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

    /// The absolute path, without a trailing slash.
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

    /// The names of the templates with their stamps. Those in subfolders are named `folder/page`. Hidden files are skipped,
    /// because editors keep copies in them.
    func stamps() throws(TemplateError) -> [String: Stamp] {
        let manager = FileManager.default
        // The enumeration does not follow a link to the folder.
        let folder = (try? manager.destinationOfSymbolicLink(atPath: path)).map {
            $0.hasPrefix("/") ? $0 : path + "/../" + $0
        }
        guard let paths = try? manager.subpathsOfDirectory(atPath: folder ?? path) else {
            throw .folderMissing(path: path)
        }
        var stamps: [String: Stamp] = [:]
        for file in paths where file.hasSuffix(Self.suffix) && !file.hasPrefix(".") && !file.contains("/.") {
            // If the file has vanished since the enumeration, it is being replaced. The next check finds it.
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
