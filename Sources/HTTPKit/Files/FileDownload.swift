import HTTPTypes

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Response {
    /// A file, with ranges, conditions and entity tags as static files have them (RFC 9110 §13, §14).
    ///
    /// ```swift
    /// app.get("/reports/{id}") { request in
    ///     let report = try await reports.find(request.parameters.require("id"))
    ///     return try await .file(report.path, for: request, .attachment("Übersicht.pdf"))
    /// }
    /// ```
    /// The file is opened and read by other threads than the event loop. Its Content-Type follows from its name in
    /// `disposition`, or else from that in `path`. Conditions and ranges apply to GET and HEAD only; other methods get the
    /// whole file.
    ///
    /// - Parameters:
    ///   - path: The file. A relative path is found from the application's `--root`, without an application from the
    ///     working directory. With `folder`, it is relative to the folder. Symbolic links are followed.
    ///   - folder: The folder that the file must be in. No `..` and no link leads out of it, so `path` may come from a
    ///     client. Without a folder, never use a path from a client.
    ///   - request: The request that the file is sent for.
    ///   - disposition: Whether a browser shows the file or saves it, and under which name (RFC 6266). Let files that others
    ///     have uploaded be saved: a page among them would run its scripts with the rights of your site.
    ///   - contentType: Replaces the Content-Type.
    ///   - cacheControl: Whether caches may keep it. By default they ask each time whether it has changed.
    /// - Throws: `HTTPFailure`: 404 if there is no such file, 503 if the process has no descriptors left.
    public static func file(
        _ path: String, in folder: String? = nil, for request: Request,
        _ disposition: ContentDisposition? = nil,
        contentType: String? = nil, cacheControl: CacheControl = .noCache
    ) async throws -> Response {
        let resolve = request[ApplicationPathKey.self] ?? { $0 }
        let download = FileDownload(
            root: folder.map(resolve) ?? ".", path: folder == nil ? resolve(path) : path,
            isConfined: folder != nil, name: disposition?.name, contentType: contentType,
            cacheControl: cacheControl)
        let isReading = request.method == .get || request.method == .head
        let fields = DownloadFields(fields: isReading ? RequestFieldLookup(request.fields) : nil)
        let isHead = request.method == .head
        let answer = try await offload { try download.answer(isHead: isHead, fields) }
        var response = Response(answer)
        if let disposition, answer.status == .ok || answer.status == .partialContent {
            response.fields[.contentDisposition] = disposition.fieldValue
        }
        return response
    }
}

/// How an application finds its files by relative paths.
package enum ApplicationPathKey: RequestKey {
    package typealias Value = @Sendable (String) -> String
}

/// The fields of a request that reads; none of another request.
private struct DownloadFields: FieldLookup {
    let fields: RequestFieldLookup?

    func value(_ name: HTTPField.Name) -> String? { fields?.value(name) }

    var isUnconditional: Bool { fields?.isUnconditional ?? true }
}

/// One file for one request. All of it is done by a thread that may block.
private struct FileDownload: Sendable {
    let root: String
    let path: String
    let isConfined: Bool
    let name: String?
    let contentType: String?
    let cacheControl: CacheControl

    func answer(isHead: Bool, _ fields: DownloadFields) throws -> FileAnswer {
        let absolute = isConfined ? nil : try realPath()
        guard !path.utf8.contains(0), let folder = RootFolder(path: absolute == nil ? root : "/") else {
            throw missing
        }
        let place = absolute.map { String($0.dropFirst()) } ?? path
        // Twice: the file may be replaced between the look at it and its opening.
        for _ in 0..<2 {
            let now = HTTPDate.now
            let stored: StoredFile
            switch folder.open(place) {
            case .file(let file): stored = describe(file, at: place, now: now)
            case .folder, .missing: throw missing
            case .unavailable: throw unavailable
            }
            let responder = FileResponder(
                folder: folder, makeBoundary: StaticFileOptions().makeBoundary, isHead: isHead,
                fields: fields,
                now: now, checks: nil)
            if let answer = responder.answer(stored, siblings: []) {
                answer.prepare()
                return answer
            }
        }
        throw unavailable
    }

    /// The path without links, of which `RootFolder` would follow only those that stay below it.
    private func realPath() throws -> String {
        guard let real = realpath(path, nil) else {
            throw [EMFILE, ENFILE, ENOMEM].contains(errno) ? unavailable : missing
        }
        defer { free(real) }
        return String(cString: real)
    }

    private func describe(_ file: OpenFile, at place: String, now: HTTPDate) -> StoredFile {
        var options = StaticFileOptions()
        options.cacheRules = [.init("**", cacheControl.fieldValue)]
        var named = name ?? path
        if let contentType {
            named = "file.own"
            options.mediaTypes = ["own": contentType]
        }
        return StoredFile(
            root: root, path: place, traits: .init(plainPath: named, coding: nil, varies: false),
            stamp: file.stamp, content: nil, digest: nil, isSettled: file.stamp.isSettled(at: now),
            options: options, now: now)
    }

    private var missing: HTTPFailure { HTTPFailure(.notFound, "there is no such file") }
    private var unavailable: HTTPFailure {
        HTTPFailure(.serviceUnavailable, "the file cannot be opened at present")
    }
}
