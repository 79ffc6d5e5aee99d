import HTTPTypes
import NIOCore

/// A folder of `files`, and where it is mounted.
struct MountedFolder: Sendable {
    let files: StaticFiles
    let mount: PathPattern
    let scope: RouteScope

    /// - Throws: `PathPatternError` or `StaticFilesError`.
    init(root: String, mount: String, _ options: StaticFileOptions, in scope: RouteScope) throws {
        let segments = mount.split(separator: "/")
        self.mount = try PathPattern("/" + segments.joined(separator: "/"))
        var options = options
        // Redirects begin with it; a mount with parameters is taken from the request.
        options.mountPath = segments.map { segment in
            "/"
                + (segment.hasPrefix("{")
                    ? String(segment) : PercentCoding.encode(String(segment), allowed: .pathSegment))
        }.joined()
        files = try StaticFiles(root: root, options: options)
        self.scope = scope
    }
}

extension PathPattern {
    /// Whether `other` is this pattern or below it.
    func covers(_ other: PathPattern) -> Bool {
        self == .root || self == other || other.text.hasPrefix(text + "/")
    }
}

/// The folders that may answer one request, in the order of their declaration.
struct FolderStack: Sendable {
    private struct Folder: Sendable {
        let files: StaticFiles
        let layers: [GroupCover.Layer]
    }

    private let folders: [Folder]
    private let cover: GroupCover

    init(_ folders: [MountedFolder], _ cover: GroupCover) {
        self.folders = folders.map { Folder(files: $0.files, layers: GroupCover.layers(of: $0.scope)) }
        self.cover = cover
    }

    /// The middleware of groups that a request of `mount` itself passes.
    func layers(of mount: PathPattern) -> [GroupCover.Layer] {
        let bytes = mount.text.utf8.span
        return cover.layers(bytes, 0..<bytes.count)
    }

    /// The answer to a request that no route takes, behind the middleware of the groups whose prefix covers its path.
    func respond(to request: Request) async throws -> Response {
        let head = request.head
        let layers = cover.layers(head.buffer.readableBytesUInt8Span, head.path)
        if layers.isEmpty { return try await respond(to: request, behind: []) }
        return try await Middleware.compose(layers.flatMap(\.middleware)) { request in
            try await respond(to: request, behind: layers)
        }(request)
    }

    /// The answer of the first folder that has something there; where none has, of the first that has a page for it.
    /// The middleware of the folder's own groups runs for that answer alone.
    func respond(to request: Request, behind passed: [GroupCover.Layer]) async throws -> Response {
        for pages in [false, true] {
            for folder in folders {
                guard let response = try await folder.files.response(to: request, pages: pages) else {
                    continue
                }
                let layers = folder.layers.filter { layer in !passed.contains { $0.scope == layer.scope } }
                if layers.isEmpty { return try response.orThrown() }
                return try await Middleware.compose(layers.flatMap(\.middleware)) { _ in
                    try response.orThrown()
                }(request)
            }
        }
        throw HTTPFailure(.notFound, "nothing is here")
    }
}

extension Response {
    /// This response of a folder. An error for which the folder has no page is thrown, so that it takes the way of all
    /// errors; the page of a folder is never text in memory.
    fileprivate func orThrown() throws -> Response {
        guard status.code >= 400, case .string = body.storage else { return self }
        var fields = fields
        fields[.contentType] = nil
        throw HTTPFailure(status, fields: fields)
    }
}
