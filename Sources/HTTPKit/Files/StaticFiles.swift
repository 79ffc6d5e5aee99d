public import HTTPTypes
package import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The folder to serve is not there.
public struct StaticFilesError: ResponseError, Equatable, CustomStringConvertible {
    /// The absolute path that was looked for.
    public let path: String

    /// 500: the server is set up wrongly.
    public var status: HTTPResponse.Status { .internalServerError }

    /// Where the folder was looked for.
    public var message: String { "static files: there is no folder at \(path)" }

    /// Where the folder was looked for.
    public var description: String { message }
}

/// Serves the files of a folder.
///
/// Small files are kept in memory, shared by all event loops behind one lock that is held for a look-up only. A file in
/// memory is compared with the one on the disk at each request, by identity, size and times: a change that is finished
/// before a request is seen by it. Nothing else is done on an event loop: files are opened, read and digested by the
/// threads of `offload`.
///
/// A precompressed sibling that appears is used within one second.
public final class StaticFiles: Sendable {
    /// How the folder is served.
    public let options: StaticFileOptions
    /// The folder's absolute path; it may be a symbolic link that is switched to another folder.
    public let root: String
    /// How many segments the mount's path has.
    let mountDepth: Int
    let digests: DigestStore
    private let cache: Mutex<FileCache>

    /// How much may be done for an answer.
    enum Effort: Sendable {
        /// What an event loop may do: nothing is opened and nothing is read.
        case memory
        /// All of it, on a thread that may block.
        case disk(FileLoader.Digests)
    }

    private enum Found {
        case resource(FileResource, RootFolder?)
        case refused(PathRefusal)
        case missing
        case unavailable
        /// It is not in memory, or has changed.
        case unknown
        case digest(PendingDigest)
    }

    /// Serves the folder at `root`, which may be relative to the working directory.
    ///
    /// - Throws: `StaticFilesError` when there is no such folder.
    public init(root: String, options: StaticFileOptions = StaticFileOptions()) throws(StaticFilesError) {
        let path = root.hasPrefix("/") ? root : StaticFiles.workingDirectory() + "/" + root
        guard RootFolder(path: path) != nil else { throw StaticFilesError(path: path) }
        self.root = path
        self.options = options
        mountDepth = options.mountPath.split(separator: "/").count
        digests = DigestStore(maxConcurrent: options.maxConcurrentDigests, maxCount: options.maxCachedFiles)
        cache = Mutex(FileCache(maximumCost: options.maxCacheSize, maximumCount: options.maxCachedFiles))
    }

    private static func workingDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }

    /// What answers a query.
    enum Outcome: Sendable {
        case answer(FileAnswer)
        /// Nothing is there.
        case nothing
        /// A thread that may block must look.
        case wait
        /// A digest must be computed first.
        case digest(PendingDigest)
    }

    /// The answer to a query, or what must be done first.
    func outcome(_ query: FileQuery<some FieldLookup>, _ effort: Effort) -> Outcome {
        if query.wantsPages { return page(query, effort) }
        guard query.isHead || query.method == .get else { return otherMethod(query, effort) }
        // The folder itself is one like any other: only below its slash do the links of its page lead into it.
        if query.rawPath.readableBytes == 0, mountDepth > 0 { return .answer(redirect(to: "/", query)) }
        return outcome(query.rawPath, query, effort) { responder, plain, siblings in
            responder.answer(plain, siblings: siblings)
        }
    }

    /// Looks up `rawPath`, and once more when a file is replaced between its look-up and its opening.
    private func outcome<Fields: FieldLookup>(
        _ rawPath: ByteBuffer, _ query: FileQuery<Fields>, _ effort: Effort,
        _ answer: (FileResponder<Fields>, StoredFile, [StoredFile]) -> FileAnswer?
    ) -> Outcome {
        for isSecondLook in [false, true] {
            switch find(rawPath, query, effort, anew: isSecondLook) {
            case .resource(.file(let plain, let siblings), let folder):
                let responder = FileResponder(
                    folder: folder, makeBoundary: options.makeBoundary, isHead: query.isHead,
                    fields: query.fields, now: query.now, checks: query.checks)
                if let answer = answer(responder, plain, siblings) { return .answer(answer) }
                if case .memory = effort { return .wait }
            case .resource(.redirect(let path), _): return .answer(redirect(to: path, query))
            case .resource(.listing(let page), _): return .answer(listing(page, isHead: query.isHead))
            case .refused(let refusal) where refusal.status != .notFound:
                return .answer(FileAnswer(refusal.status))
            case .refused, .missing: return .nothing
            case .unavailable: return .answer(FileAnswer(.serviceUnavailable))
            case .unknown: return .wait
            case .digest(let pending): return .digest(pending)
            }
        }
        return .answer(FileAnswer(.serviceUnavailable))
    }

    /// Where something is, OPTIONS tells the methods (RFC 9110 §9.3.7) and any other gets 405; where nothing is, no
    /// method would help.
    private func otherMethod(_ query: FileQuery<some FieldLookup>, _ effort: Effort) -> Outcome {
        switch find(query.rawPath, query, effort, anew: false) {
        case .resource where query.method == .options:
            .answer(FileAnswer(.noContent, fields: StaticFiles.allow, contentLength: nil))
        case .digest where query.method == .options:
            .answer(FileAnswer(.noContent, fields: StaticFiles.allow, contentLength: nil))
        case .resource, .digest: .answer(FileAnswer(.methodNotAllowed, fields: StaticFiles.allow))
        case .refused(let refusal) where refusal.status != .notFound: .answer(FileAnswer(refusal.status))
        case .refused, .missing: .nothing
        case .unavailable: .answer(FileAnswer(.serviceUnavailable))
        case .unknown: .wait
        }
    }

    private static let allow: HTTPFields = [.allow: "GET, HEAD, OPTIONS"]

    /// The path by which memory knows a file: decoded, so that all spellings of it are one. A path without escapes is
    /// as it came.
    private func key(of rawPath: ByteBuffer) throws(PathRefusal) -> ByteBuffer {
        let escape = UInt8(ascii: "%")
        let bytes = rawPath.readableBytesUInt8Span
        guard bytes.contains(escape, or: escape, in: 0..<bytes.count) else { return rawPath }
        let path = try safePath(rawPath)
        let isSlashed = path.isFolder && !path.segments.isEmpty
        return ByteBuffer(string: "/" + path.segments.joined(separator: "/") + (isSlashed ? "/" : ""))
    }

    private func safePath(_ rawPath: ByteBuffer) throws(PathRefusal) -> SafePath {
        try SafePath(rawPath: rawPath.readableBytesUInt8Span, allowsWellKnown: options.allowsWellKnown)
    }

    /// What the path leads to: from memory when the file there is still the same, otherwise from the disk.
    private func find(
        _ rawPath: ByteBuffer, _ query: FileQuery<some FieldLookup>, _ effort: Effort, anew: Bool
    ) -> Found {
        let now = query.now
        do throws(PathRefusal) {
            let key = try key(of: rawPath)
            var previous: FileResource?
            var known: FileResource?
            switch cache.withLock({ $0.lookup(key, now: now) }) {
            case .fresh(let resource): (previous, known) = (resource, anew ? nil : resource)
            case .stale(let resource): previous = resource
            case .missing: break
            }
            if case .file(let plain, _) = known, !query.isCurrent(plain) { known = nil }
            guard case .disk(let use) = effort else { return known.map { .resource($0, nil) } ?? .unknown }
            // Opened each time: its path may lead to another folder by now.
            guard let folder = RootFolder(path: root) else {
                return [EMFILE, ENFILE, ENOMEM].contains(errno) ? .unavailable : .missing
            }
            if let known { return .resource(known, folder) }
            let loader = FileLoader(
                root: root, folder: folder, options: options, digests: digests, use: use, now: now)
            return keep(loader.load(try safePath(rawPath), previous: previous), for: key, folder, now: now)
        } catch {
            return .refused(error)
        }
    }

    private func keep(
        _ loaded: FileLoader.Loaded, for key: ByteBuffer, _ folder: RootFolder, now: HTTPDate
    ) -> Found {
        switch loaded {
        case .resource(let resource):
            cache.withLock { cache in
                if resource.isKeepable {
                    cache.insert(resource, for: key, now: now)
                } else {
                    cache.remove(key)
                }
            }
            return .resource(resource, folder)
        case .missing:
            cache.withLock { $0.remove(key) }
            return .missing
        case .unavailable: return .unavailable
        case .digest(let pending): return .digest(pending)
        }
    }
}

// MARK: Answers that are no files

extension StaticFiles {
    private func redirect(to path: String, _ query: FileQuery<some FieldLookup>) -> FileAnswer {
        var location = (query.mount ?? options.mountPath) + path
        if let query = query.query {
            location += "?" + PercentCoding.encode(query.readableBytesUInt8Span, allowed: .rawQuery)
        }
        return FileAnswer(.movedPermanently, fields: [.location: location])
    }

    private func listing(_ page: ByteBuffer, isHead: Bool) -> FileAnswer {
        FileAnswer(
            .ok,
            fields: [
                .contentType: "text/html; charset=utf-8", .cacheControl: "no-cache",
                .xContentTypeOptions: "nosniff",
            ],
            body: isHead ? .none : .bytes(page), contentLength: Int64(page.readableBytes))
    }

    /// The page for a path where nothing is: that of a single-page application for what looks like one of its own paths,
    /// or the one of 404.
    private func page(_ query: FileQuery<some FieldLookup>, _ effort: Effort) -> Outcome {
        if let fallback = options.fallback, isPagePath(query) {
            let outcome = outcome(StaticFiles.key(fallback), query, effort) { responder, plain, siblings in
                responder.answer(plain, siblings: siblings)
            }
            guard case .nothing = outcome else { return outcome }
        }
        guard let page = options.notFoundPage else { return .nothing }
        return outcome(StaticFiles.key(page), query, effort) { responder, plain, _ in
            responder.notFoundPage(plain)
        }
    }

    private func isPagePath(_ query: FileQuery<some FieldLookup>) -> Bool {
        guard query.isHead || query.method == .get, (try? safePath(query.rawPath)) != nil else {
            return false
        }
        let name = query.rawPath.readableBytesView.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
        ).last
        guard name?.contains(UInt8(ascii: ".")) == true else { return true }
        let ranges = QualityValues.parse(query.fields.value(.accept) ?? "")
        return ranges.contains { $0.value == "text/html" && $0.quality > 0 }
    }

    /// The raw path of a file that the options name.
    private static func key(_ path: String) -> ByteBuffer {
        let segments = path.split(separator: "/").map {
            PercentCoding.encode(String($0), allowed: .pathSegment)
        }
        return ByteBuffer(string: "/" + segments.joined(separator: "/"))
    }

    /// The answer to one request, on a thread that may block.
    ///
    /// - Parameters:
    ///   - rawPath: The path below the mount as it came, percent-encoded and without the query.
    ///   - query: The query as it came, for redirects.
    ///   - fields: The request's fields; only those that decide something are asked for.
    ///   - now: The time; it must not be later than the clock of the file system.
    /// - Returns: 200, 204, 206, 301, 304, 400, 404, 405, 406, 412, 416 or 503. A 404 has no content unless the options
    ///   name a page.
    package func answer(
        method: HTTPRequest.Method, rawPath: ByteBuffer, query: ByteBuffer? = nil, fields: some FieldLookup,
        now: HTTPDate
    ) -> FileAnswer {
        var query = FileQuery(method: method, rawPath: rawPath, query: query, fields: fields, now: now)
        while true {
            switch outcome(query, .disk(.asked)) {
            case .answer(let answer): return answer
            case .digest(let pending): digests.computeNow(pending)
            case .nothing where !query.wantsPages: query.wantsPages = true
            case .nothing, .wait: return FileAnswer(.notFound)
            }
        }
    }
}

/// A request as a folder sees it.
struct FileQuery<Fields: FieldLookup>: Sendable {
    var method: HTTPRequest.Method
    /// The path below the mount as it came, percent-encoded and without the query.
    var rawPath: ByteBuffer
    /// The query as it came, for redirects.
    var query: ByteBuffer?
    /// The path of the mount, when the request tells it; otherwise that of the options counts.
    var mount: String?
    var fields: Fields
    /// A time before anything is looked at, of the clock that file systems use.
    var now: HTTPDate
    /// Whether the pages for paths where nothing is are wanted, and no files.
    var wantsPages = false
    /// What was compared in this turn of the event loop; `nil` on other threads.
    var checks: TurnChecks?

    /// Whether the file at its place is still the one that was read.
    func isCurrent(_ file: StoredFile) -> Bool { checks?.isCurrent(file) ?? file.isCurrent }

    var isHead: Bool { method == .head }
}
