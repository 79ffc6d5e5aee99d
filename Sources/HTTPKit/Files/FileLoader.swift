import NIOCore

/// Finds what a path leads to, and reads what is small enough to keep.
struct FileLoader {
    enum Loaded {
        case resource(FileResource)
        case missing
        case unavailable
        /// A digest of a large file must be computed first.
        case digest(PendingDigest)
    }

    /// How the digests of large files are had.
    enum Digests {
        /// Those that are known; a file whose digest is not known gets a tag of its times.
        case known
        /// `Loaded.digest` asks for those that are not known.
        case asked
    }

    /// The folder's absolute path.
    let root: String
    let folder: RootFolder
    let options: StaticFileOptions
    let digests: DigestStore
    let use: Digests
    /// The time before anything was opened.
    let now: HTTPDate

    /// A large file without a digest.
    private struct DigestNeeded: Error {
        let pending: PendingDigest
    }

    /// What the path leads to now. What has not changed since `previous` is taken over from it.
    func load(_ path: SafePath, previous: FileResource?) -> Loaded {
        do throws(DigestNeeded) {
            return try found(path, previous: previous)
        } catch {
            return .digest(error.pending)
        }
    }

    private func found(_ path: SafePath, previous: FileResource?) throws(DigestNeeded) -> Loaded {
        let relative = path.relativePath
        guard path.isFolder else {
            switch folder.open(relative) {
            case .file(let file): return try loaded(file, at: relative, previous: previous)
            case .folder: return .resource(.redirect(to: "/\(path.encoded)/"))
            case .missing: return .missing
            case .unavailable: return .unavailable
            }
        }
        for index in options.indexFiles {
            let candidate = path.segments.isEmpty ? index : "\(relative)/\(index)"
            switch folder.open(candidate) {
            case .file(let file): return try loaded(file, at: candidate, previous: previous)
            case .folder, .missing: continue
            case .unavailable: return .unavailable
            }
        }
        guard options.listsFolders, case .folder(let entries) = folder.open(relative) else { return .missing }
        let title = "/" + path.segments.map { $0 + "/" }.joined()
        return .resource(
            .listing(FolderListing.page(of: entries, title: title, isRoot: path.segments.isEmpty)))
    }

    private func loaded(
        _ file: OpenFile, at path: String, previous: FileResource?
    ) throws(DigestNeeded) -> Loaded {
        var known: [StoredFile] = []
        if case .file(let plain, let siblings) = previous { known = [plain] + siblings }
        let siblings = options.codings.compactMap { coding -> (StaticFileOptions.Coding, OpenFile)? in
            guard case .file(let sibling) = folder.open(path + coding.suffix) else { return nil }
            return (coding, sibling)
        }
        func stored(
            _ file: OpenFile, at path: String, _ traits: StoredFile.Traits
        ) throws(DigestNeeded) -> StoredFile? {
            if let same = known.first(where: { $0.path == path }), same.isSettled, same.stamp == file.stamp,
                same.traits == traits
            {
                return same
            }
            return try read(file, at: path, traits)
        }
        let varies = !siblings.isEmpty
        guard let plain = try stored(file, at: path, .init(plainPath: path, coding: nil, varies: varies))
        else {
            return .unavailable
        }
        var compressed: [StoredFile] = []
        for (coding, sibling) in siblings {
            let traits = StoredFile.Traits(plainPath: path, coding: coding, varies: varies)
            if let sibling = try stored(sibling, at: path + coding.suffix, traits) {
                compressed.append(sibling)
            }
        }
        return .resource(.file(plain, siblings: compressed))
    }

    /// Reads a file, again when it changed meanwhile; `nil` when it does not come to rest.
    private func read(
        _ file: OpenFile, at path: String, _ traits: StoredFile.Traits
    ) throws(DigestNeeded) -> StoredFile? {
        var stamp = file.stamp
        for _ in 0..<3 {
            let content =
                stamp.size <= options.maxCachedFileSize ? content(of: file, size: Int(stamp.size)) : nil
            let digest = try digest(of: file, stamp: stamp, content: content)
            guard let after = file.currentStamp() else { return nil }
            let isWhole = content.map { $0.readableBytes == Int(stamp.size) } ?? true
            if after == stamp, isWhole {
                return StoredFile(
                    root: root, path: path, traits: traits, stamp: stamp, content: content, digest: digest,
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

    /// The digest for a strong entity tag. That of content in memory is cheap; that of a large file is computed once, by
    /// `DigestStore`, and only when a change of the file would show in its stamp.
    private func digest(
        of file: OpenFile, stamp: FileStamp, content: ByteBuffer?
    ) throws(DigestNeeded) -> String? {
        let isWanted =
            switch options.entityTags {
            case .content: stamp.size <= options.maxDigestedSize
            case .metadata: content != nil && !stamp.hasMeaningfulTime
            }
        guard isWanted else { return nil }
        if let content { return FileDigest.of(content) }
        guard stamp.isSettled(at: now) else { return nil }
        if let digest = digests.value(for: stamp) { return digest }
        if use == .known { return nil }
        throw DigestNeeded(pending: PendingDigest(file: file, stamp: stamp))
    }
}
