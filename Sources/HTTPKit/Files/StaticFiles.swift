import Glibc
public import HTTPTypes
package import NIOCore
import Synchronization

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

/// Serves the files of a folder: what a request for one of them is answered, decided without a connection.
///
/// Small files are kept in memory, shared by all event loops behind one lock that is held for a look-up only; files
/// are read outside of it. A change on the disk shows within one second of `now`.
public final class StaticFiles: Sendable {
    /// How the folder is served.
    public let options: StaticFileOptions
    /// The folder's absolute path; links in it are followed anew each second, so it may be switched to another.
    public let root: String
    /// How many segments the mount's path has.
    let mountDepth: Int
    private let state: Mutex<State>

    private struct State {
        var folder: RootFolder
        var opened: HTTPDate
        var cache: FileCache

        /// The folder, opened anew once a second: its path may lead to another one by now.
        mutating func currentFolder(at now: HTTPDate, path: String) -> RootFolder {
            if opened != now {
                folder = RootFolder(path: path) ?? folder
                opened = now
            }
            return folder
        }
    }

    private enum Found {
        case resource(FileResource, RootFolder)
        case refused(PathRefusal)
        case missing
        case unavailable
    }

    /// Serves the folder at `root`, which may be relative to the working directory.
    ///
    /// - Throws: `StaticFilesError` when there is no such folder.
    public init(root: String, options: StaticFileOptions = StaticFileOptions()) throws(StaticFilesError) {
        let path = root.hasPrefix("/") ? root : StaticFiles.workingDirectory() + "/" + root
        guard let folder = RootFolder(path: path) else { throw StaticFilesError(path: path) }
        self.root = path
        self.options = options
        mountDepth = options.mountPath.split(separator: "/").count
        let cache = FileCache(maximumCost: options.maxCacheSize, maximumCount: options.maxCachedFiles)
        state = Mutex(State(folder: folder, opened: HTTPDate(secondsSinceEpoch: .min), cache: cache))
    }

    private static func workingDirectory() -> String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }

    /// The answer to one request.
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
        guard method == .get || method == .head else {
            return otherMethod(method, rawPath, fields: fields, now: now)
        }
        // The folder itself is one like any other: only below its slash do the links of its page lead into it.
        if rawPath.readableBytes == 0, !options.mountPath.isEmpty { return redirect(to: "/", query: query) }
        let isHead = method == .head
        // A second look is taken when a large file is replaced between its look-up and its opening.
        for isSecondLook in [false, true] {
            switch find(rawPath, now: now, anew: isSecondLook) {
            case .resource(.file(let plain, let siblings), let folder):
                let responder = FileResponder(
                    folder: folder, makeBoundary: options.makeBoundary, isHead: isHead, fields: fields,
                    now: now)
                if let answer = responder.answer(plain, siblings: siblings) { return answer }
            case .resource(.redirect(let path), _):
                return redirect(to: path, query: query)
            case .resource(.listing(let page), _):
                return listing(page, isHead: isHead)
            case .refused(let refusal) where refusal.status != .notFound:
                return FileAnswer(refusal.status)
            case .refused:
                return notFound(isHead: isHead, fields: fields, now: now)
            case .missing:
                if let page = fallback(for: rawPath, isHead: isHead, fields: fields, now: now) { return page }
                return notFound(isHead: isHead, fields: fields, now: now)
            case .unavailable:
                return FileAnswer(.serviceUnavailable)
            }
        }
        return FileAnswer(.serviceUnavailable)
    }

    /// Where something is, OPTIONS tells the methods (RFC 9110 §9.3.7) and any other gets 405; where nothing is, no
    /// method would help.
    private func otherMethod(
        _ method: HTTPRequest.Method, _ rawPath: ByteBuffer, fields: some FieldLookup, now: HTTPDate
    ) -> FileAnswer {
        switch find(rawPath, now: now, anew: false) {
        case .resource where method == .options:
            FileAnswer(.noContent, fields: StaticFiles.allow, contentLength: nil)
        case .resource: FileAnswer(.methodNotAllowed, fields: StaticFiles.allow)
        case .refused(let refusal) where refusal.status != .notFound: FileAnswer(refusal.status)
        case .refused, .missing: notFound(isHead: false, fields: fields, now: now)
        case .unavailable: FileAnswer(.serviceUnavailable)
        }
    }

    private static let allow: HTTPFields = [.allow: "GET, HEAD, OPTIONS"]

    /// What the path leads to, from memory where it was checked within this second.
    private func find(_ rawPath: ByteBuffer, now: HTTPDate, anew: Bool) -> Found {
        let (hit, folder) = state.withLock { state in
            (
                anew ? .missing : state.cache.lookup(rawPath, now: now),
                state.currentFolder(at: now, path: root)
            )
        }
        var previous: FileResource?
        switch hit {
        case .fresh(let resource): return .resource(resource, folder)
        case .stale(let resource): previous = resource
        case .missing: break
        }
        let path: SafePath
        do {
            path = try SafePath(
                rawPath: rawPath.readableBytesUInt8Span, allowsWellKnown: options.allowsWellKnown)
        } catch {
            return .refused(error)
        }
        switch FileLoader(folder: folder, options: options, now: now).load(path, previous: previous) {
        case .resource(let resource):
            state.withLock { $0.cache.insert(resource, for: rawPath, now: now) }
            return .resource(resource, folder)
        case .missing:
            if previous != nil { state.withLock { $0.cache.remove(rawPath) } }
            return .missing
        case .unavailable:
            return .unavailable
        }
    }

    private func redirect(to path: String, query: ByteBuffer?) -> FileAnswer {
        var location = options.mountPath + path
        if let query {
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

    /// The page of a single-page application, for what looks like one of its own paths.
    private func fallback(for rawPath: ByteBuffer, isHead: Bool, fields: some FieldLookup, now: HTTPDate)
        -> FileAnswer?
    {
        guard let fallback = options.fallback else { return nil }
        let name = rawPath.readableBytesView.split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
        ).last
        if name?.contains(UInt8(ascii: ".")) == true {
            let ranges = QualityValues.parse(fields.value(.accept) ?? "")
            guard ranges.contains(where: { $0.value == "text/html" && $0.quality > 0 }) else { return nil }
        }
        for isSecondLook in [false, true] {
            guard
                case .resource(.file(let plain, let siblings), let folder) = find(
                    StaticFiles.key(fallback), now: now, anew: isSecondLook)
            else { return nil }
            let responder = FileResponder(
                folder: folder, makeBoundary: options.makeBoundary, isHead: isHead, fields: fields, now: now)
            if let answer = responder.answer(plain, siblings: siblings) { return answer }
        }
        return nil
    }

    private func notFound(isHead: Bool, fields: some FieldLookup, now: HTTPDate) -> FileAnswer {
        if let page = options.notFoundPage {
            for isSecondLook in [false, true] {
                guard
                    case .resource(.file(let plain, _), let folder) = find(
                        StaticFiles.key(page), now: now, anew: isSecondLook)
                else { break }
                let responder = FileResponder(
                    folder: folder, makeBoundary: options.makeBoundary, isHead: isHead, fields: fields,
                    now: now)
                if let answer = responder.notFoundPage(plain) { return answer }
            }
        }
        return FileAnswer(.notFound)
    }

    /// The raw path of a file that the options name.
    private static func key(_ path: String) -> ByteBuffer {
        let segments = path.split(separator: "/").map {
            PercentCoding.encode(String($0), allowed: .pathSegment)
        }
        return ByteBuffer(string: "/" + segments.joined(separator: "/"))
    }
}
