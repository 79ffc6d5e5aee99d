import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The page that lists a folder. Hidden entries are left out, and names are text whatever they hold.
enum FolderListing {
    /// How many entries are listed.
    static let maximumEntries = 5000

    static func page(of folder: OpenFile, title: String, isRoot: Bool) -> ByteBuffer {
        let heading = title.htmlEscaped
        var html = """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>\(heading)</title></head><body><h1>\(heading)</h1><ul>

            """
        if !isRoot { html += "<li><a href=\"../\">../</a></li>\n" }
        for entry in entries(of: folder) {
            let slash = entry.isFolder ? "/" : ""
            // "./" keeps a name with a colon from being read as a scheme.
            let reference = ("./" + PercentCoding.encode(entry.name, allowed: .pathSegment) + slash)
                .htmlEscaped
            html += "<li><a href=\"\(reference)\">\(entry.name.htmlEscaped)\(slash)</a></li>\n"
        }
        html += "</ul></body></html>\n"
        return ByteBuffer(string: html)
    }

    private static func entries(of folder: OpenFile) -> [(name: String, isFolder: Bool)] {
        // The stream takes over and closes the descriptor it is given.
        let copy = fcntl(folder.descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return [] }
        guard let stream = fdopendir(copy) else {
            _ = close(copy)
            return []
        }
        defer { _ = closedir(stream) }
        var entries: [(name: String, isFolder: Bool)] = []
        while entries.count < maximumEntries, let entry = readdir(stream) {
            // Safe: the name is ended by a NUL inside the entry, which lives until the next call.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let name, !name.hasPrefix("."), !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
            else {
                continue
            }
            entries.append((name, entry.pointee.d_type == UInt8(DT_DIR)))
        }
        return entries.sorted { ($1.isFolder ? 1 : 0, $0.name) < ($0.isFolder ? 1 : 0, $1.name) }
    }
}
