import NIOCore

/// Finds what a path leads to, and reads what is small enough to keep.
struct FileLoader {
    enum Loaded {
        case resource(FileResource)
        case missing
        case unavailable
    }

    let folder: RootFolder
    let options: StaticFileOptions
    let now: HTTPDate

    /// What the path leads to now. What has not changed since `previous` is taken over from it.
    func load(_ path: SafePath, previous: FileResource?) -> Loaded {
        let relative = path.relativePath
        guard path.isFolder else {
            switch folder.open(relative) {
            case .file(let file): return loaded(file, at: relative, previous: previous)
            case .folder: return .resource(.redirect(to: "/\(path.encoded)/"))
            case .missing: return .missing
            case .unavailable: return .unavailable
            }
        }
        for index in options.indexFiles {
            let candidate = path.segments.isEmpty ? index : "\(relative)/\(index)"
            switch folder.open(candidate) {
            case .file(let file): return loaded(file, at: candidate, previous: previous)
            case .folder, .missing: continue
            case .unavailable: return .unavailable
            }
        }
        guard options.listsFolders, case .folder(let entries) = folder.open(relative) else { return .missing }
        let title = "/" + path.segments.map { $0 + "/" }.joined()
        return .resource(
            .listing(FolderListing.page(of: entries, title: title, isRoot: path.segments.isEmpty)))
    }

    private func loaded(_ file: OpenFile, at path: String, previous: FileResource?) -> Loaded {
        var known: [StoredFile] = []
        if case .file(let plain, let siblings) = previous { known = [plain] + siblings }
        let siblings = options.codings.compactMap { coding -> (StaticFileOptions.Coding, OpenFile)? in
            guard case .file(let sibling) = folder.open(path + coding.suffix) else { return nil }
            return (coding, sibling)
        }
        func stored(_ file: OpenFile, at path: String, _ traits: StoredFile.Traits) -> StoredFile? {
            if let same = known.first(where: { $0.path == path }), same.isSettled, same.stamp == file.stamp,
                same.traits == traits
            {
                return same
            }
            return read(file, at: path, traits)
        }
        let varies = !siblings.isEmpty
        guard let plain = stored(file, at: path, .init(plainPath: path, coding: nil, varies: varies)) else {
            return .unavailable
        }
        let compressed = siblings.compactMap { coding, sibling in
            stored(sibling, at: path + coding.suffix, .init(plainPath: path, coding: coding, varies: varies))
        }
        return .resource(.file(plain, siblings: compressed))
    }

    /// Reads a file, again when it changed meanwhile; `nil` when it does not come to rest.
    private func read(_ file: OpenFile, at path: String, _ traits: StoredFile.Traits) -> StoredFile? {
        var stamp = file.stamp
        for _ in 0..<3 {
            let content =
                stamp.size <= options.maxCachedFileSize ? content(of: file, size: Int(stamp.size)) : nil
            let digest = digest(of: file, stamp: stamp, content: content)
            guard let after = file.currentStamp() else { return nil }
            let isWhole = content.map { $0.readableBytes == Int(stamp.size) } ?? true
            if after == stamp, isWhole {
                return StoredFile(
                    path: path, traits: traits, stamp: stamp, content: content, digest: digest,
                    isSettled: stamp.isSettled(at: now), options: options, now: now)
            }
            stamp = after
        }
        return nil
    }

    private func content(of file: OpenFile, size: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        guard size > 0 else { return buffer }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { target in
            file.read(into: UnsafeMutableRawBufferPointer(rebasing: target[..<size]), at: 0)
        }
        return buffer
    }

    /// The digest for a strong entity tag: the first 128 bits of SHA-256, in hexadecimal.
    private func digest(of file: OpenFile, stamp: FileStamp, content: ByteBuffer?) -> String? {
        guard case .content = options.entityTags, stamp.size <= options.maxDigestedSize else { return nil }
        var hash = SHA256()
        if let content {
            hash.update(content)
        } else {
            let step = 64 << 10
            var offset: Int64 = 0
            while offset < stamp.size {
                var piece = ByteBuffer()
                let count = piece.writeWithUnsafeMutableBytes(minimumWritableBytes: step) { target in
                    file.read(into: UnsafeMutableRawBufferPointer(rebasing: target[..<step]), at: offset)
                }
                guard count > 0 else { break }
                hash.update(piece)
                offset += Int64(count)
            }
        }
        return String(hash.finishHex().prefix(32))
    }
}
