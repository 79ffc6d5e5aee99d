public import HTTPTypes

/// What routes, folders and sockets are declared on: an application and each of its groups.
///
/// ```swift
/// app.group("/api", .cors(.any)) { api in
///     api.use(Authentication())
///     api.get("/rooms/{room}") { request in … }
///     api.files("Docs", at: "/docs")
/// }
/// ```
/// A prefix and a path are joined by exactly one slash, whichever of them has it: `get("x")` and `get("/x")` in
/// `group("/api")` or `group("/api/")` are `/api/x`. The path `/`, or an empty one, is the prefix itself:
/// `group("/todos") { $0.get("/") { … } }` serves `/todos`. A slash at the end of any other path counts; `TrailingSlash`
/// says what becomes of requests that have one too many or too few.
///
/// Declare everything before the server starts. What is declared later is not served: it ends a debug build and is logged
/// as an error in a release build. A mistake, such as a malformed pattern, a route that is declared twice
/// or a missing folder, is reported when the server starts.
///
/// A request is answered by the first of these that applies:
///
/// 1. the most specific route of its method and path;
/// 2. a redirect to the route whose path differs by a slash at its end only (`TrailingSlash`);
/// 3. the folders whose mount the path is below, in the order of their declaration: the first that has something there;
/// 4. the pages that these folders have for other paths (`fallback`, then `notFoundPage`);
/// 5. 405 where the path has routes or files of other methods, otherwise 404.
///
/// The middleware of a group runs for its routes and folders. It also runs for every other request below the group's
/// prefix that no route takes: for files of folders that are declared elsewhere, and for 404 and 405. So
/// `group("/admin", auth)` protects all of `/admin`, whatever a folder at `/` holds there.
public protocol RouteBuilder: Sendable {
    /// The group that takes the declarations.
    var routes: RouteGroup { get }
}

extension RouteBuilder {
    /// Puts `middleware` around everything that this application or group answers, the first outermost, behind what is
    /// there already. It does not matter whether routes are declared before or after.
    public func use(_ middleware: Middleware...) { routes.use(middleware) }

    /// Puts middleware of any type around everything that this application or group answers.
    public func use(_ first: any MiddlewareProtocol, _ others: any MiddlewareProtocol...) {
        routes.use(([first] + others).map { Middleware(wrapping: $0) })
    }

    /// Declares a route: `{name}` in the path matches one segment, `{rest...}` at its end all that are left.
    public func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping Handler) {
        routes.table.add(.method(method), path, handler, in: routes.scope)
    }

    /// Declares a route of GET, and so of HEAD (RFC 9110 §9.3.1, §9.3.2).
    public func get(_ path: String, _ handler: @escaping Handler) { on(.get, path, handler) }
    /// Declares a route of POST (RFC 9110 §9.3.3).
    public func post(_ path: String, _ handler: @escaping Handler) { on(.post, path, handler) }
    /// Declares a route of PUT (RFC 9110 §9.3.4).
    public func put(_ path: String, _ handler: @escaping Handler) { on(.put, path, handler) }
    /// Declares a route of PATCH (RFC 5789).
    public func patch(_ path: String, _ handler: @escaping Handler) { on(.patch, path, handler) }
    /// Declares a route of DELETE (RFC 9110 §9.3.5).
    public func delete(_ path: String, _ handler: @escaping Handler) { on(.delete, path, handler) }

    /// The routes that `declare` adds are below `prefix` and behind `middleware`.
    ///
    /// Without a prefix the middleware runs for the group's own routes and folders only.
    public func group(
        _ prefix: String = "", _ middleware: Middleware..., declare: (RouteGroup) throws -> Void
    ) rethrows {
        try declare(routes.group(prefix, middleware))
    }

    /// The routes that `declare` adds are below `prefix` and behind middleware of any type.
    public func group(
        _ prefix: String = "", _ first: any MiddlewareProtocol, _ others: any MiddlewareProtocol...,
        declare: (RouteGroup) throws -> Void
    ) rethrows {
        try declare(routes.group(prefix, ([first] + others).map { Middleware(wrapping: $0) }))
    }

    /// Serves the files of a folder below `path`.
    ///
    /// - Parameters:
    ///   - folder: the folder, found from the application's `--root`. A missing folder is reported when the server
    ///     starts, with the place that was looked at.
    ///   - path: where the folder is mounted: `static`, `/static` and `/static/` are the same.
    ///   - options: how it is served. `mountPath` is set here.
    public func files(
        _ folder: String, at path: String = "/", options: StaticFileOptions = StaticFileOptions()
    ) {
        routes.table.add(folder: folder, at: path, options, in: routes.scope)
    }
}

/// What becomes of a request whose path differs from that of a route by a slash at its end only.
public enum TrailingSlash: Sendable, Hashable {
    /// It is redirected to the route's path, permanently: with 301 for GET and HEAD, otherwise with 308, which keeps the
    /// method and the body.
    case redirect
    /// It is another path: 404, unless a folder has something there.
    case exact
}

/// A place where routes are declared: below a prefix and behind middleware.
public struct RouteGroup: RouteBuilder {
    package let table: RouteTable
    let scope: RouteScope

    /// The group itself.
    public var routes: RouteGroup { self }

    /// The group that holds all others.
    package init(table: RouteTable) {
        self.table = table
        scope = table.root
    }

    private init(table: RouteTable, scope: RouteScope) {
        self.table = table
        self.scope = scope
    }

    fileprivate func use(_ middleware: [Middleware]) {
        if table.mayDeclare("middleware") { scope.use(middleware) }
    }

    fileprivate func group(_ prefix: String, _ middleware: [Middleware]) -> RouteGroup {
        RouteGroup(table: table, scope: table.scope(below: scope, prefix, middleware))
    }
}
